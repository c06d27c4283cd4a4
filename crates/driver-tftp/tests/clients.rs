//! Stories of boot loaders and the server, over real sockets: an own client, and curl, tftp-hpa and atftp where installed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers of tests
#![allow(dead_code, reason = "the peer is shared with other tests")]

mod peer;

use std::io;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use driver_tftp::{Config, Server, Settings, Tftp};
use flasher_core::{
    Class, Driver as _, DriverType as _, FileServer as _, TransferLog, TransferState, Wiring,
};
use peer::{Client, Fate, LONG, Stage, ack, fetch, pattern, relay, request};
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio::time::timeout;

/// As long as U-Boot's: a client with it depends on the server's timer.
const PATIENT: Duration = Duration::from_secs(5);

async fn run(tool: &str, arguments: &[&str], folder: &Path) -> Option<Output> {
    let mut command = Command::new(tool);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    match timeout(LONG, command.output()).await.expect("the tool ends") {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("skipped: {tool} is not installed");
            None
        }
        Err(error) => panic!("{tool}: {error}"),
    }
}

/// Fetches `file` to `got` with a tool of the host; gives what arrived.
async fn fetch_with(stage: &Stage, line: &str) -> Option<Vec<u8>> {
    let port = stage.server.address().port().to_string();
    let line = line.replace("PORT", &port);
    let words: Vec<&str> = line.split(' ').collect();
    let got = stage.folder.path().join("got");
    let _ = std::fs::remove_file(&got);
    let output = run(words[0], &words[1..], stage.folder.path()).await?;
    assert!(output.status.success(), "{line}: {output:?}");
    Some(std::fs::read(&got).unwrap_or_else(|error| panic!("{line}: {error}: {output:?}")))
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_file_server() {
    let stage = Stage::new().await;
    let port = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let make = || {
        let config = serde_json::json!({"root_dir": stage.folder.path(), "host": "127.0.0.1", "port": port});
        Tftp::build(serde_json::from_value(config).unwrap(), Wiring::default()).unwrap()
    };
    assert_eq!(flasher_core::testing::file_server(&make).await, [""; 0]);
}

#[tokio::test]
async fn clients_of_the_field_fetch_files() {
    let stage = Stage::new().await;
    let sizes = [("empty", 0), ("one", 1), ("full", 512), ("more", 512 * 3 + 1), ("sub/kernel", 3_000_000)];
    let lines = [
        "curl -sS --noproxy * -o got tftp://127.0.0.1:PORT/FILE",
        "curl -sS --noproxy * --tftp-blksize 1468 -o got tftp://127.0.0.1:PORT/FILE",
        "curl -sS --noproxy * --tftp-no-options -o got tftp://127.0.0.1:PORT/FILE",
        "tftp -4 -m binary 127.0.0.1 PORT -c get FILE got",
        "atftp --get -r FILE -l got 127.0.0.1 PORT",
        "atftp --option=blksize=1428 --get -r FILE -l got 127.0.0.1 PORT",
        "atftp --option=windowsize=16 --get -r FILE -l got 127.0.0.1 PORT",
    ];
    for (name, length) in sizes {
        stage.write(name, pattern(length));
        for line in lines {
            let line = line.replace("FILE", name);
            // curl makes no file of an empty body.
            if length == 0 && line.starts_with("curl") {
                continue;
            }
            let Some(got) = fetch_with(&stage, &line).await else { continue };
            assert!(got == pattern(length), "{line}: {} B", got.len());
        }
    }
    let outcomes = stage.outcomes(0).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

#[tokio::test]
async fn a_text_in_netascii_arrives_as_a_text() {
    let stage = Stage::new().await;
    let text = "line\nother\r\nlast\r".repeat(200);
    stage.write("script", &text);
    if let Some(got) = fetch_with(&stage, "tftp -4 -m ascii 127.0.0.1 PORT -c get script got").await {
        assert_eq!(String::from_utf8(got).unwrap(), text);
    }
    let address = stage.server.address();
    let fetched = fetch(address, "script", "netascii", &[("tsize", "0")], PATIENT).await.unwrap();
    assert!(fetched.options.is_empty());
    assert_eq!(String::from_utf8(fetched.bytes).unwrap(), text.replace('\r', "\r\0").replace('\n', "\r\n"));
}

#[tokio::test]
async fn files_of_every_awkward_size_arrive() {
    let stage = Stage::new().await;
    for (blksize, windowsize) in [("512", "1"), ("512", "4"), ("1468", "16"), ("1468", "64"), ("65464", "16")]
    {
        let block: usize = blksize.parse().unwrap();
        for length in [0, 1, block - 1, block, block + 1, block * 4, block * 16 - 1, block * 16, block * 65] {
            stage.write("file", pattern(length));
            let options = [("blksize", blksize), ("windowsize", windowsize), ("tsize", "0")];
            let fetched = fetch(stage.server.address(), "file", "octet", &options, PATIENT).await.unwrap();
            assert!(fetched.bytes == pattern(length), "{options:?} {length}");
            assert_eq!(fetched.options["tsize"], length.to_string());
            assert_eq!(fetched.options["blksize"], blksize);
        }
    }
    let outcomes = stage.outcomes(45).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

#[tokio::test]
async fn block_numbers_roll_over() {
    let stage = Stage::new().await;
    let bytes = pattern(8 * 66_000 + 3);
    stage.write("file", &bytes);
    for windowsize in ["1", "64"] {
        let options = [("blksize", "8"), ("windowsize", windowsize)];
        let fetched = fetch(stage.server.address(), "file", "octet", &options, PATIENT).await.unwrap();
        assert!(fetched.bytes == bytes, "{windowsize}");
    }
}

/// One packet in `one_in` suffers, by a generator that is the same each time.
fn misfortune(one_in: u64, fates: &'static [Fate]) -> impl FnMut(bool, u64) -> Fate + Send + 'static {
    let mut state = one_in.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    move |_, _| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = state >> 33;
        if dice.is_multiple_of(one_in) { fates[(dice / one_in) as usize % fates.len()] } else { Fate::Pass }
    }
}

#[tokio::test]
async fn files_arrive_over_a_network_that_loses_repeats_and_reorders() {
    let stage = Stage::new().await;
    let bytes = pattern(400_000);
    stage.write("file", &bytes);
    let troubles: [&'static [Fate]; 5] = [
        &[Fate::Drop],
        &[Fate::Twice],
        &[Fate::Late],
        &[Fate::Slow(3), Fate::Slow(40)],
        &[Fate::Drop, Fate::Twice, Fate::Late, Fate::Slow(10)],
    ];
    let server = stage.server.address();
    let mut cases = tokio::task::JoinSet::new();
    for (windowsize, fates) in
        ["1", "4", "16", "64"].into_iter().flat_map(|size| troubles.map(|fates| (size, fates)))
    {
        let bytes = bytes.clone();
        cases.spawn(async move {
            let address = relay(server, misfortune(20, fates)).await;
            let options = [("blksize", "1468"), ("windowsize", windowsize)];
            let fetched = fetch(address, "file", "octet", &options, PATIENT).await;
            let fetched = fetched.unwrap_or_else(|error| panic!("{windowsize} {fates:?}: {error}"));
            assert!(fetched.bytes == bytes, "{windowsize} {fates:?}");
        });
    }
    cases.join_all().await;
}

#[tokio::test]
async fn the_loss_of_any_single_packet_is_mended() {
    let stage = Stage::new().await;
    let bytes = pattern(512 * 9 + 7);
    stage.write("file", &bytes);
    let server = stage.server.address();
    let mut cases = tokio::task::JoinSet::new();
    for (windowsize, to_client, count) in
        ["1", "4"].into_iter().flat_map(|size| (0..24).map(move |case| (size, case % 2 == 0, case / 2)))
    {
        let bytes = bytes.clone();
        let fate =
            move |towards, at| if (towards, at) == (to_client, count) { Fate::Drop } else { Fate::Pass };
        cases.spawn(async move {
            let address = relay(server, fate).await;
            let options = [("windowsize", windowsize)];
            let fetched =
                fetch(address, "file", "octet", &options, Duration::from_millis(300)).await.unwrap();
            assert!(fetched.bytes == bytes, "{windowsize} {to_client} {count}");
        });
    }
    cases.join_all().await;
}

#[tokio::test]
async fn a_repeated_acknowledgement_sends_nothing_again() {
    let stage = Stage::new().await;
    let bytes = pattern(512 * 50);
    stage.write("file", &bytes);
    let twice = |to_client, _| if to_client { Fate::Pass } else { Fate::Twice };
    let address = relay(stage.server.address(), twice).await;
    // The first packet is the request, and a repeated request is answered once.
    let fetched = fetch(address, "file", "octet", &[], PATIENT).await.unwrap();
    assert!(fetched.bytes == bytes);
    // A busy machine may make the server's timer strike now and then; the apprentice would send everything twice.
    let outcomes = stage.outcomes(1).await;
    assert!(matches!(outcomes[..], [Ok((25_600, 0..10))]), "{outcomes:?}");
}

/// A name, and the content or error code it gets.
type Asked = (&'static [u8], Result<&'static [u8], u8>);

#[tokio::test]
async fn nothing_outside_the_root_is_served() {
    let stage = Stage::new().await;
    stage.write("file", "x");
    stage.write("sub/file", "y");
    std::fs::write(stage.folder.path().join("secret"), "s").unwrap();
    for (link, target) in [("out", "../secret"), ("abs", "/etc/passwd"), ("in", "sub/file")] {
        std::os::unix::fs::symlink(target, stage.folder.path().join("root").join(link)).unwrap();
    }
    let cases: &[Asked] = &[
        (b"file", Ok(b"x")),
        (b"/file", Ok(b"x")),
        (b"./file", Ok(b"x")),
        (b"sub/file", Ok(b"y")),
        (b"/sub/file", Ok(b"y")),
        (b"in", Ok(b"y")),
        (b"../secret", Err(2)),
        (b"/../secret", Err(2)),
        (b"sub/../../secret", Err(2)),
        (b"sub/../file", Err(2)),
        (b"//etc/passwd", Err(2)),
        (b"out", Err(2)),
        (b"abs", Err(2)),
        (b"..\\secret", Err(1)),
        (b"missing", Err(1)),
        (b"sub", Err(1)),
        (b"/", Err(1)),
        (b"", Err(1)),
        (b"f\xff\xfe", Err(1)),
        (&[b'n'; 600], Err(1)),
        (b"file\0x", Err(4)), // the zero ends the name, `x` is the mode
    ];
    for (name, expected) in cases {
        let mut client = Client::ask(stage.server.address(), &request(1, name, "octet", &[])).await;
        let packet = client.hear(LONG).await.expect("an answer");
        let found = if packet[1] == 3 { Ok(&packet[4..]) } else { Err(packet[3]) };
        assert_eq!(found, *expected, "{:?}: {packet:?}", String::from_utf8_lossy(name));
        if packet[1] == 3 {
            client.send(&ack(1)).await;
        }
    }
}

#[tokio::test]
async fn what_is_no_read_request_gets_the_error_it_deserves() {
    let stage = Stage::new().await;
    let huge = request(1, &[b'n'; 4000], "octet", &[]);
    let cases = [
        (request(2, b"new", "octet", &[]), Some((4, "this server is read-only"))),
        (request(1, b"f", "mail", &[]), Some((4, "unsupported mode, expected octet or netascii"))),
        (request(9, b"f", "octet", &[]), Some((4, "unknown opcode"))),
        (vec![0], Some((4, "packet too short"))),
        (vec![0, 1, b'f'], Some((4, "request without final zero"))),
        (ack(1).to_vec(), Some((5, "unknown transfer ID"))),
        (vec![0, 3, 0, 1, 7], Some((5, "unknown transfer ID"))),
        (vec![0, 6, 0], Some((4, "not a request"))),
        (huge, Some((4, "request too long"))),
        (vec![0, 5, 0, 1, b'x', 0], None),
    ];
    for (packet, expected) in cases {
        let mut client = Client::ask(stage.server.address(), &packet).await;
        let wait = if expected.is_some() { LONG } else { Duration::from_millis(200) };
        let answer = client.hear(wait).await;
        let found = answer.as_ref().map(|answer| {
            assert_eq!(answer[..3], [0, 5, 0]);
            (answer[3], std::str::from_utf8(&answer[4..answer.len() - 1]).unwrap())
        });
        assert_eq!(found, expected, "{packet:?}");
    }
    assert!(!stage.folder.path().join("root/new").exists());
    stage.write("f", "x");
    let twice = request(1, b"f", "octet", &[("blksize", "9"), ("blksize", "10")]);
    let answer = Client::ask(stage.server.address(), &twice).await.hear(LONG).await.unwrap();
    assert_eq!(answer[..4], [0, 5, 0, 8]);
}

#[tokio::test]
async fn a_vanished_client_is_given_up_and_told() {
    let settings = Settings { first_wait: Duration::from_millis(5), retries: 3, ..Settings::default() };
    let stage = Stage::with(settings).await;
    stage.write("file", pattern(5000));
    let mut client = Client::ask(stage.server.address(), &request(1, b"file", "octet", &[])).await;
    let mut packets = Vec::new();
    while packets.last().is_none_or(|packet: &Vec<u8>| packet[1] == 3) {
        packets.push(client.hear(LONG).await.expect("another packet"));
    }
    assert_eq!(packets.len(), 5, "the block, three repetitions, the error");
    assert_eq!(
        stage.outcomes(1).await,
        [Err("no answer after sending 4 times; no block was acknowledged, 3 sent again".to_owned())]
    );
}

#[tokio::test]
async fn a_client_that_closes_its_port_or_sends_an_error_ends_the_transfer() {
    let stage = Stage::new().await;
    stage.write("file", pattern(50_000));
    let asking = request(1, b"file", "octet", &[]);
    let mut client = Client::ask(stage.server.address(), &asking).await;
    client.hear(LONG).await.unwrap();
    drop(client);
    let reason = stage.outcomes(1).await.remove(0).unwrap_err();
    assert!(reason.starts_with("the client closed its port; no block was acknowledged"), "{reason}");
    let mut client = Client::ask(stage.server.address(), &asking).await;
    client.hear(LONG).await.unwrap();
    client.send(b"\0\x05\0\x03disk \x1b[31mfull\0").await;
    let outcomes = stage.outcomes(2).await;
    assert_eq!(
        outcomes[1],
        Err("the client ended it: error 3 \"disk \\u{1b}[31mfull\"; no block was acknowledged".to_owned())
    );
}

#[tokio::test]
async fn a_client_that_asks_anew_on_the_same_port_is_served_anew() {
    let stage = Stage::new().await;
    stage.write("file", pattern(5000));
    let asking = request(1, b"file", "octet", &[]);
    let mut client = Client::ask(stage.server.address(), &asking).await;
    client.hear(LONG).await.unwrap();
    client.send(&ack(1)).await;
    client.hear(LONG).await.unwrap();
    client.peer = None;
    client.socket.send_to(&asking, stage.server.address()).await.unwrap();
    let packet = client.hear(LONG).await.unwrap();
    assert_eq!(packet[..4], [0, 3, 0, 1]);
    assert_eq!(
        stage.outcomes(1).await,
        [Err("the client asked anew; the last block acknowledged was 1".to_owned())]
    );
}

#[tokio::test]
async fn a_hundred_boards_are_served_at_a_time_and_others_refused() {
    let stage = Stage::new().await;
    stage.write("file", pattern(200_000));
    let address = stage.server.address();
    let options = [("blksize", "1468"), ("windowsize", "4")];
    // 64 are the most for one address, so the hundred come from two.
    let sources = ["127.0.0.2", "127.0.0.3"];
    let fetches = (0..100).map(|count| fetch_from(sources[count % 2], address, &options));
    for bytes in futures(fetches).await {
        assert!(bytes == pattern(200_000));
    }
    let mut waiting = Vec::new();
    for _ in 0..64 {
        let mut client = Client::ask(address, &request(1, b"file", "octet", &[])).await;
        assert_eq!(client.hear(LONG).await.unwrap()[1], 3);
        waiting.push(client);
    }
    let refusal = Client::ask(address, &request(1, b"file", "octet", &[])).await.hear(LONG).await.unwrap();
    assert_eq!(refusal, b"\0\x05\0\0server busy\0");
}

/// A relay bound to `source` makes the client appear to come from there.
async fn fetch_from(source: &str, server: std::net::SocketAddr, options: &[(&str, &str)]) -> Vec<u8> {
    let socket = UdpSocket::bind((source, 0)).await.unwrap();
    let via = peer::relay_from(socket, server, |_, _| Fate::Pass).await;
    fetch(via, "file", "octet", options, PATIENT).await.unwrap().bytes
}

async fn futures<F: Future<Output = Vec<u8>>>(all: impl Iterator<Item = F>) -> Vec<Vec<u8>> {
    let mut pending: Vec<_> = all.map(Box::pin).collect();
    let mut ready = Vec::new();
    std::future::poll_fn(|context| {
        pending.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Ready(bytes) => {
                ready.push(bytes);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    ready
}

#[tokio::test]
async fn transfers_are_reported_with_what_was_agreed() {
    let stage = Stage::new().await;
    stage.write("kernel\u{7}img", pattern(1000));
    let options = [("blksize", "100"), ("windowsize", "8"), ("timeout", "1")];
    let name = "kernel\u{7}img";
    let fetched = fetch(stage.server.address(), name, "octet", &options, PATIENT).await.unwrap();
    assert!(!fetched.options.contains_key("timeout"), "the timer stays the server's");
    stage.outcomes(1).await;
    let seen = stage.seen.lock().unwrap();
    assert!(seen.iter().all(|transfer| transfer.protocol == "tftp" && transfer.file == "kernelimg"));
    assert_eq!(
        seen[0].state,
        TransferState::Begun { length: Some(1000), options: "blksize 100, windowsize 8".into() }
    );
    assert!(matches!(seen[1].state, TransferState::Done { bytes: 1000, seconds, .. } if seconds > 0.0));
}

#[tokio::test]
async fn stopping_tells_clients_and_frees_the_port() {
    let stage = Stage::new().await;
    stage.write("file", pattern(5000));
    let address = stage.server.address();
    let mut client = Client::ask(address, &request(1, b"file", "octet", &[])).await;
    client.hear(LONG).await.unwrap();
    timeout(LONG, stage.server.stop()).await.expect("stop ends");
    assert_eq!(client.hear(LONG).await.unwrap(), b"\0\x05\0\0the server stopped\0");
    Server::bind(address, stage.folder.path(), TransferLog::default()).await.expect("the port is free");
    let last = stage.seen.lock().unwrap().last().unwrap().state.clone();
    assert_eq!(
        last,
        TransferState::Failed { bytes: 0, reason: "the server stopped; no block was acknowledged".into() }
    );
}

fn driver(root: &Path, host: &str, port: u16) -> Tftp {
    Tftp::new(Config { root_dir: root.into(), host: Some(host.into()), port, ..Config::default() }).unwrap()
}

#[tokio::test]
async fn the_driver_starts_restarts_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    for host in ["localhost", "", "::1"] {
        let tftp = driver(&folder.path().join("made/on/start"), host, 0);
        assert_eq!(tftp.address(), None);
        tftp.stop().await.unwrap();
        let Ok(first) = tftp.start(TransferLog::default()).await else {
            assert_eq!(host, "::1", "only IPv6 may be missing");
            continue;
        };
        let second = tftp.start(TransferLog::default()).await.unwrap();
        assert!(first.port() != 0 && tftp.address() == Some(second), "{host}");
        assert_eq!(second.ip().is_unspecified(), host.is_empty());
        std::fs::write(tftp.root().join("file"), "x").unwrap();
        let ask = if host.is_empty() { ([127, 0, 0, 1], second.port()).into() } else { second };
        assert_eq!(fetch(ask, "file", "octet", &[], PATIENT).await.unwrap().bytes, b"x");
        tftp.close().await.unwrap();
        tftp.close().await.unwrap();
        assert_eq!(tftp.address(), None);
    }
}

#[tokio::test]
async fn a_bind_failure_is_an_error_now_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let first = driver(folder.path(), "127.0.0.1", 0);
    let port = first.start(TransferLog::default()).await.unwrap().port();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let cases = [
        (driver(folder.path(), "127.0.0.1", port), "the port is in use"),
        (driver(folder.path(), "192.0.2.1", 0), "this machine has no such address"),
        (driver(folder.path(), "no such host", 0), "cannot find the address of the host `no such host`"),
        (driver(&file, "127.0.0.1", 0), "cannot serve the folder"),
    ];
    for (tftp, text) in cases {
        let error = tftp.start(TransferLog::default()).await.unwrap_err();
        assert!(error.to_string().contains(text), "{error:?}");
        assert!(error.class() == Class::Infrastructure && error.next_step().is_some(), "{error:?}");
    }
}
