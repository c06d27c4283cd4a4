//! Stories of clients and the server, over real sockets: raw ones, and curl and wget where they are installed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers of tests

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use driver_http::{Config, HttpServer, Server, Site};
use flasher_core::{
    Class, Content, ContentServer as _, Driver as _, DriverType as _, FileServer as _, Transfer, TransferLog,
    TransferState, Upload, Wiring,
};
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(30);

struct Stage {
    folder: tempfile::TempDir,
    site: Site,
    server: Server,
    seen: Arc<Mutex<Vec<Transfer>>>,
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        let site = Site::new(root);
        let (log, seen) = record();
        let server = Server::bind(([127, 0, 0, 1], 0).into(), site.clone(), log).await.unwrap();
        Self { folder, site, server, seen }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.site.root().join(name), bytes).unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.server.address())
    }

    /// One request on a connection of its own; gives the status line and header, and the body.
    async fn ask(&self, method: &str, path: &str, fields: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.server.address()).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(LONG, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a header") + 4;
        (String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase(), answer[end..].to_vec())
    }

    /// How the transfers ended, once `count` of them have: `Ok(bytes)` or `Err(reason)`.
    async fn outcomes(&self, count: usize) -> Vec<Result<u64, String>> {
        let ended = async {
            loop {
                let outcomes: Vec<_> = self.seen.lock().unwrap().iter().filter_map(outcome).collect();
                if outcomes.len() >= count {
                    return outcomes;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, ended).await.expect("the transfers end")
    }
}

fn record() -> (TransferLog, Arc<Mutex<Vec<Transfer>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    (TransferLog::new(move |transfer| sink.lock().unwrap().push(transfer)), seen)
}

fn outcome(transfer: &Transfer) -> Option<Result<u64, String>> {
    match &transfer.state {
        TransferState::Begun { .. } => None,
        TransferState::Done { bytes, .. } => Some(Ok(*bytes)),
        TransferState::Failed { reason, .. } => Some(Err(reason.clone())),
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(31) ^ (at >> 8)) as u8).collect()
}

async fn run(tool: &str, arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new(tool);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    match timeout(LONG, command.output()).await.expect("the tool ends") {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("skipped: {tool} is not installed");
            None
        }
        Err(error) => panic!("{tool}: {error}"),
    }
}

async fn curl(url: &str, more: &[&str]) -> Option<Output> {
    run("curl", &[&["-sS", "--noproxy", "*", "--path-as-is", "--max-time", "25", url], more].concat()).await
}

async fn wget(url: &str, more: &[&str]) -> Option<Output> {
    run("wget", &[&["-q", "--no-proxy", "--tries=1", "-O", "-", url], more].concat()).await
}

/// 64 KiB pieces without end, or with an error after `good` of them.
fn pieces(good: usize) -> Content {
    Content::stream(None, move || {
        let good_ones = stream::repeat(Bytes::from(vec![7; 64 * 1024])).map(Ok).take(good);
        Some(good_ones.chain(stream::once(async { Err(io::Error::other("the decoder failed")) })).boxed())
    })
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_file_server() {
    let stage = Stage::new().await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    drop(taken);
    let make = || {
        let config = serde_json::json!({"root_dir": stage.folder.path(), "host": "127.0.0.1", "port": port});
        HttpServer::build(serde_json::from_value(config).unwrap(), Wiring::default()).unwrap()
    };
    assert_eq!(flasher_core::testing::file_server(&make).await, [""; 0]);
}

#[tokio::test]
async fn curl_and_wget_fetch_a_whole_file() {
    let stage = Stage::new().await;
    for (name, length) in [("empty", 0), ("one", 1), ("sub/piece", 256 * 1024), ("sub/more file", 3_000_001)]
    {
        stage.write(name, pattern(length));
        let url = stage.url(&name.replace(' ', "%20"));
        for output in [curl(&url, &[]).await, wget(&url, &[]).await].into_iter().flatten() {
            assert!(output.status.success(), "{name}: {output:?}");
            assert_eq!(output.stdout, pattern(length), "{name}");
        }
    }
    assert!(stage.outcomes(0).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn an_interrupted_download_is_resumed() {
    let stage = Stage::new().await;
    stage.write("disk.img", pattern(1_000_000));
    let part = stage.folder.path().join("part");
    std::fs::write(&part, &pattern(1_000_000)[..400_000]).unwrap();
    let Some(output) = curl(&stage.url("disk.img"), &["-C", "-", "-o", part.to_str().unwrap()]).await else {
        return;
    };
    assert!(output.status.success(), "{output:?}");
    assert_eq!(std::fs::read(&part).unwrap(), pattern(1_000_000));
    assert_eq!(stage.outcomes(1).await, [Ok(600_000)]);
}

#[tokio::test]
async fn every_request_gets_the_status_it_deserves() {
    let stage = Stage::new().await;
    stage.write("file", pattern(100));
    std::fs::write(stage.folder.path().join("secret"), "s").unwrap();
    std::os::unix::fs::symlink("../secret", stage.site.root().join("out")).unwrap();
    std::os::unix::fs::symlink("file", stage.site.root().join("in")).unwrap();
    stage.site.publish("gone", Content::stream(None, || None)).unwrap();
    let cases = [
        ("GET", "/file", "", 200, 100),
        ("GET", "//file", "", 200, 100),
        ("GET", "/in", "", 200, 100),
        ("GET", "/file?x=y", "", 200, 100),
        ("HEAD", "/file", "", 200, 0),
        ("GET", "/file", "range: bytes=10-19\r\n", 206, 10),
        ("HEAD", "/file", "range: bytes=10-19\r\n", 206, 0),
        ("GET", "/file", "range: bytes=0-1,4-5\r\n", 200, 100),
        ("GET", "/file", "range: bytes=100-\r\n", 416, 26),
        ("GET", "/file", "if-none-match: *\r\n", 304, 0),
        ("GET", "/file", "if-match: \"x\"\r\n", 412, 24),
        ("GET", "/missing", "", 404, 14),
        ("GET", "/out", "", 403, 14),
        ("GET", "/../secret", "", 403, 14),
        ("GET", "/%2e%2e/secret", "", 403, 14),
        ("GET", "/%2e%2e%2fsecret", "", 403, 14),
        ("GET", "/..%5csecret", "", 404, 14),
        ("GET", "/", "", 403, 14),
        ("GET", "/sub", "", 403, 14),
        ("GET", "/%zz", "", 400, 16),
        ("GET", "/%00", "", 400, 16),
        ("GET", "/gone", "", 410, 9),
        ("HEAD", "/gone", "", 200, 0),
        ("POST", "/file", "content-length: 0\r\n", 405, 23),
        ("DELETE", "/file", "", 405, 23),
    ];
    for (method, path, fields, status, length) in cases {
        let (header, body) = stage.ask(method, path, fields).await;
        let found = header.split(' ').nth(1).and_then(|status| status.parse().ok());
        assert_eq!((found, body.len()), (Some(status), length), "{method} {path} {fields}: {header}");
    }
}

#[tokio::test]
async fn a_head_tells_what_a_get_would_send() {
    let stage = Stage::new().await;
    stage.write("disk.img.xz", pattern(1234));
    stage.site.publish("stream", Content::stream(Some(77), || panic!("HEAD opened the content"))).unwrap();
    stage.site.publish("endless", Content::stream(None, || panic!("HEAD opened the content"))).unwrap();
    let (header, _) = stage.ask("HEAD", "/disk.img.xz", "").await;
    for field in [
        "content-length: 1234",
        "accept-ranges: bytes",
        "etag: \"",
        "last-modified: ",
        "type: application/x-xz",
    ] {
        assert!(header.contains(field), "{field} in {header}");
    }
    let (header, _) = stage.ask("HEAD", "/stream", "").await;
    assert!(header.contains("content-length: 77"), "{header}");
    let (header, _) = stage.ask("HEAD", "/endless", "").await;
    assert!(!header.contains("content-length"), "{header}");
    assert!(stage.seen.lock().unwrap().is_empty(), "HEAD is no transfer");
}

#[tokio::test]
async fn a_known_version_is_not_sent_again() {
    let stage = Stage::new().await;
    stage.write("file", "one");
    let (header, _) = stage.ask("GET", "/file", "").await;
    let tag = header.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    let (header, _) = stage.ask("GET", "/file", &format!("if-none-match: {tag}\r\n")).await;
    assert!(header.starts_with("http/1.1 304"), "{header}");
    stage.write("file", "three");
    let (header, body) = stage.ask("GET", "/file", &format!("range: bytes=1-\r\nif-range: {tag}\r\n")).await;
    assert!(header.starts_with("http/1.1 200"), "a range of another version would mix two files: {header}");
    assert_eq!(body, b"three");
}

#[tokio::test]
async fn published_content_arrives_exactly_and_is_counted() {
    let stage = Stage::new().await;
    let bytes = pattern(700_001);
    let parts: Vec<Bytes> = bytes.chunks(10_007).map(Bytes::copy_from_slice).collect();
    let unknown = Content::stream(None, move || Some(stream::iter(parts.clone()).map(Ok).boxed()));
    for (content, framing) in
        [(Content::bytes(bytes.clone()), "content-length: 700001"), (unknown, "transfer-encoding: chunked")]
    {
        stage.site.publish("made/disk.img", content.clone()).unwrap();
        let (header, _) = stage.ask("GET", "/made/disk.img", "").await;
        assert!(header.contains(framing), "{header}");
        let mut expected = 700_001;
        for output in
            [curl(&stage.url("made/disk.img"), &[]).await, wget(&stage.url("made/disk.img"), &[]).await]
        {
            let Some(output) = output else { continue };
            assert!(output.status.success() && output.stdout == bytes, "{framing}");
            expected += 700_001;
        }
        assert_eq!(content.delivered(), expected, "{framing}");
    }
}

#[tokio::test]
async fn a_client_notices_when_content_breaks_off() {
    let stage = Stage::new().await;
    let short = || Some(stream::iter([Ok(Bytes::from_static(b"half"))]).boxed());
    let cases = [
        ("failing", pieces(3), "the decoder failed"),
        ("failing-at-once", pieces(0), "the decoder failed"),
        ("short", Content::stream(Some(8), short), "the content ended after 4 of 8 bytes"),
        ("long", Content::stream(Some(3), short), "the content is longer than its 3 bytes"),
    ];
    for (path, content, reason) in cases {
        stage.site.publish(path, content).unwrap();
        let outputs = [curl(&stage.url(path), &[]).await, wget(&stage.url(path), &[]).await];
        for output in outputs.into_iter().flatten() {
            assert!(!output.status.success(), "{path}: {:?}", output.status);
            let outcomes = stage.outcomes(1).await;
            assert!(
                outcomes.iter().all(|outcome| outcome == &Err(reason.to_owned())),
                "{path}: {outcomes:?}"
            );
        }
        stage.seen.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_notices_too() {
    let stage = Stage::new().await;
    stage.site.publish("failing", pieces(3)).unwrap();
    stage
        .site
        .publish("whole", Content::stream(None, || Some(stream::iter([Ok("all".into())]).boxed())))
        .unwrap();
    for (path, is_whole) in [("whole", true), ("failing", false)] {
        let mut client = TcpStream::connect(stage.server.address()).await.unwrap();
        client.write_all(format!("GET /{path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let ended = timeout(LONG, client.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(ended.is_ok(), is_whole, "{path}: {ended:?}");
    }
}

#[tokio::test]
async fn withdrawing_cuts_a_client_even_one_that_does_not_read() {
    let stage = Stage::new().await;
    stage.site.publish("endless", pieces(usize::MAX)).unwrap();
    let mut client = TcpStream::connect(stage.server.address()).await.unwrap();
    client.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    client.readable().await.unwrap();
    stage.site.withdraw("endless");
    assert_eq!(stage.outcomes(1).await, [Err("the content was withdrawn".to_owned())]);
    let mut rest = Vec::new();
    let _ = timeout(LONG, client.read_to_end(&mut rest)).await.expect("the connection is closed");
    assert!(!rest.ends_with(b"0\r\n\r\n"), "the body must not look complete");
    assert!(stage.ask("GET", "/endless", "").await.0.starts_with("http/1.1 404"));
}

#[tokio::test]
async fn a_vanished_client_is_reported() {
    let stage = Stage::new().await;
    stage.write("big", pattern(64 << 20));
    let mut client = TcpStream::connect(stage.server.address()).await.unwrap();
    client.write_all(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    client.readable().await.unwrap();
    drop(client);
    assert_eq!(stage.outcomes(1).await, [Err("the client closed the connection".to_owned())]);
}

#[tokio::test]
async fn a_slow_reader_holds_nobody_up() {
    let stage = Stage::new().await;
    stage.write("big", pattern(16 << 20));
    stage.write("small", pattern(1000));
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut client = TcpStream::connect(stage.server.address()).await.unwrap();
        client.write_all(b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        slow.push(client);
    }
    for _ in 0..20 {
        assert_eq!(stage.ask("GET", "/small", "").await.1, pattern(1000));
    }
}

#[tokio::test]
async fn more_clients_than_connections_are_all_served_in_turn() {
    let stage = Stage::new().await;
    stage.write("file", pattern(300_000));
    let clients = (0..400).map(|_| stage.ask("GET", "/file", ""));
    for (header, body) in futures_util::future::join_all(clients).await {
        assert!(header.starts_with("http/1.1 200") && body == pattern(300_000), "{header}");
    }
    assert_eq!(stage.outcomes(400).await, vec![Ok(300_000); 400]);
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let stage = Stage::new().await;
    stage.write("file", pattern(10));
    let mut client = TcpStream::connect(stage.server.address()).await.unwrap();
    for _ in 0..3 {
        client.write_all(b"GET /file HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(&pattern(10)) {
            assert_ne!(timeout(LONG, client.read_buf(&mut answer)).await.unwrap().unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn hostile_bytes_get_an_error_and_the_server_lives() {
    let stage = Stage::new().await;
    stage.write("file", "x");
    let huge = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 20));
    for bytes in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}", &huge] {
        let mut client = TcpStream::connect(stage.server.address()).await.unwrap();
        let _ = client.write_all(bytes.as_bytes()).await;
        client.shutdown().await.ok();
        let mut answer = Vec::new();
        let _ = timeout(LONG, client.read_to_end(&mut answer)).await.expect("the connection ends");
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{:?}",
            String::from_utf8_lossy(&answer)
        );
    }
    assert_eq!(stage.ask("GET", "/file", "").await.1, b"x");
}

#[tokio::test]
async fn stopping_lets_short_transfers_end_cuts_long_ones_and_frees_the_port() {
    let stage = Stage::new().await;
    stage.site.publish("endless", pieces(usize::MAX)).unwrap();
    stage.write("file", "x");
    let address = stage.server.address();
    let mut stuck = TcpStream::connect(address).await.unwrap();
    stuck.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    stuck.readable().await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /file HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    idle.readable().await.unwrap();
    timeout(LONG, stage.server.stop()).await.expect("stop ends");
    let reasons: Vec<_> = stage.seen.lock().unwrap().iter().filter_map(outcome).collect();
    assert!(reasons.contains(&Err("the server stopped".to_owned())), "{reasons:?}");
    assert!(TcpStream::connect(address).await.is_err());
    Server::bind(address, stage.site.clone(), TransferLog::default()).await.expect("the port is free");
}

fn driver(root: &Path, host: &str, port: u16) -> HttpServer {
    HttpServer::new(Config { root_dir: root.into(), host: Some(host.into()), port, ..Config::default() })
}

#[tokio::test]
async fn the_driver_starts_restarts_stops_and_keeps_what_was_published() {
    let folder = tempfile::tempdir().unwrap();
    let http = driver(&folder.path().join("made/on/start"), "localhost", 0);
    http.publish("script.sh", Content::bytes("echo hello")).unwrap();
    assert_eq!(http.address(), None);
    http.stop().await.unwrap();
    for _ in 0..2 {
        let address = http.start(TransferLog::default()).await.unwrap();
        assert!(http.address() == Some(address) && address.port() != 0);
        if let Some(output) = curl(&format!("http://{address}/script.sh"), &[]).await {
            assert_eq!(output.stdout, b"echo hello");
        }
    }
    assert!(http.root().is_dir());
    http.close().await.unwrap();
    http.close().await.unwrap();
    assert_eq!(http.address(), None);
}

#[tokio::test]
async fn without_a_host_every_address_is_bound() {
    let folder = tempfile::tempdir().unwrap();
    let http = driver(folder.path(), "", 0);
    let address = http.start(TransferLog::default()).await.unwrap();
    assert!(address.ip().is_unspecified());
    TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], address.port()))).await.unwrap();
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
    for (http, text) in cases {
        let error = http.start(TransferLog::default()).await.unwrap_err();
        assert!(error.to_string().contains(text), "{error:?}");
        assert!(error.class() == Class::Infrastructure && error.next_step().is_some(), "{error:?}");
        assert_eq!(http.address(), None);
    }
}

/// The bytes, and whether the body was whole.
type Kept = Arc<Mutex<(Vec<u8>, bool)>>;

/// An upload that keeps what it gets.
fn keeping(limit: u64) -> (Upload, Kept) {
    let kept = Arc::new(Mutex::new((Vec::new(), false)));
    let keeper = Arc::clone(&kept);
    let upload = Upload::new(limit, move || {
        let (pieces, end) = (Arc::clone(&keeper), Arc::clone(&keeper));
        let sink = futures_util::sink::unfold((), move |(), piece: Bytes| {
            pieces.lock().unwrap().0.extend_from_slice(&piece);
            async { Ok::<_, io::Error>(()) }
        });
        Some(Box::pin(Closing { sink: Box::pin(sink), end }))
    });
    (upload, kept)
}

/// Notes that it was closed.
struct Closing<S> {
    sink: std::pin::Pin<Box<S>>,
    end: Kept,
}

impl<S: futures_util::Sink<Bytes, Error = io::Error>> futures_util::Sink<Bytes> for Closing<S> {
    type Error = io::Error;

    fn poll_ready(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sink.as_mut().poll_ready(cx)
    }

    fn start_send(mut self: std::pin::Pin<&mut Self>, piece: Bytes) -> io::Result<()> {
        self.sink.as_mut().start_send(piece)
    }

    fn poll_flush(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sink.as_mut().poll_flush(cx)
    }

    fn poll_close(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = self.sink.as_mut().poll_close(cx);
        self.end.lock().unwrap().1 = closed.is_ready();
        closed
    }
}

#[tokio::test]
async fn a_board_sends_bytes_back_by_put_and_post() {
    let stage = Stage::new().await;
    let file = stage.folder.path().join("dump");
    std::fs::write(&file, pattern(3_000_001)).unwrap();
    let dump = file.to_str().unwrap();
    // busybox wget cannot: it posts a file up to its first zero only.
    let ways: [(&str, &[&str]); 3] = [
        ("curl", &["-sS", "--noproxy", "*", "--max-time", "25", "-T", dump]),
        ("sh", &["-c", "curl -sS --noproxy '*' --max-time 25 -T - \"$1\" <\"$0\"", dump]),
        ("wget", &["-q", "--no-proxy", "--tries=1", "-O", "-", "--post-file", dump]),
    ];
    for (tool, arguments) in ways {
        let (upload, kept) = keeping(3_000_001);
        stage.site.accept("job/readback", upload.clone()).unwrap();
        let url = stage.url("job/readback");
        let Some(output) = run(tool, &[arguments, &[url.as_str()]].concat()).await else { continue };
        assert!(output.status.success(), "{tool}: {output:?}");
        assert_eq!(output.stdout, b"3000001 bytes taken\n", "{tool}");
        let kept = kept.lock().unwrap();
        assert!(kept.0 == pattern(3_000_001) && kept.1, "{tool}");
        assert_eq!(upload.received(), 3_000_001);
    }
    assert!(stage.outcomes(0).await.iter().all(|outcome| *outcome == Ok(3_000_001)));
}

#[tokio::test]
async fn a_body_that_is_too_large_broken_or_unwanted_is_never_taken_for_whole() {
    let stage = Stage::new().await;
    stage.site.publish("image", Content::bytes("x")).unwrap();
    stage.site.accept("gone", Upload::new(10, || None)).unwrap();
    let (upload, kept) = keeping(10);
    stage.site.accept("sink", upload).unwrap();
    let chunked = "transfer-encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n";
    let cases = [
        ("PUT", "/sink", "content-length: 11\r\n", 413),
        ("PUT", "/sink", chunked, 413),
        ("GET", "/sink", "", 405),
        ("PUT", "/gone", "content-length: 1\r\n\r\nx", 410),
        ("PUT", "/image", "content-length: 1\r\n\r\nx", 405),
        ("PUT", "/file", "content-length: 1\r\n\r\nx", 405),
        ("PUT", "/upload/file", "content-length: 1\r\n\r\nx", 405),
    ];
    for (method, path, fields, status) in cases {
        let (header, _) = stage.ask(method, path, fields).await;
        assert!(header.starts_with(&format!("http/1.1 {status}")), "{method} {path}: {header}");
        let allow = if path == "/sink" { "allow: put, post" } else { "allow: get, head" };
        assert!(status != 405 || header.contains(allow), "{method} {path}: {header}");
    }
    let mut client = TcpStream::connect(stage.server.address()).await.unwrap();
    client.write_all(b"PUT /sink HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
    drop(client);
    let broken = Err("the client broke off".to_owned());
    while !stage.outcomes(0).await.contains(&broken) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!kept.lock().unwrap().1, "a broken body was closed as if whole");
    assert!(!stage.site.root().join("file").exists());
}

#[tokio::test]
async fn withdrawing_ends_an_upload_under_way() {
    let stage = Stage::new().await;
    let (upload, kept) = keeping(1 << 20);
    stage.site.accept("sink", upload).unwrap();
    let mut client = TcpStream::connect(stage.server.address()).await.unwrap();
    client.write_all(b"PUT /sink HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
    while kept.lock().unwrap().0 != b"half" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stage.site.withdraw("sink");
    assert_eq!(stage.outcomes(1).await, [Err("the upload was withdrawn".to_owned())]);
    assert!(!kept.lock().unwrap().1);
}

#[tokio::test]
async fn the_upload_area_takes_files_up_to_its_limit_and_only_there() {
    let folder = tempfile::tempdir().unwrap();
    let (root, uploads) = (folder.path().join("www"), folder.path().join("uploads"));
    let config: Config = serde_json::from_value(serde_json::json!({
        "root_dir": root, "host": "127.0.0.1", "port": 0, "uploads": { "dir": uploads, "limit": 30_000 },
    }))
    .unwrap();
    let http = HttpServer::new(config);
    let address = http.start(TransferLog::default()).await.unwrap();
    let file = folder.path().join("log");
    std::fs::write(&file, pattern(10_000)).unwrap();
    let put = |path: &'static str| {
        let (url, file) = (format!("http://{address}/{path}"), file.to_str().unwrap().to_owned());
        async move { curl(&url, &["-o", "/dev/null", "-w", "%{http_code}", "-T", &file]).await }
    };
    let cases = [
        ("upload/board.log", "201"),
        ("upload/board.log", "201"),
        ("upload/second.log", "201"),
        ("upload/third.log", "507"),
        ("upload/%2e%2e%2fwww%2fx", "400"),
        ("upload/.hidden", "400"),
        ("board.log", "405"),
    ];
    for (path, status) in cases {
        let Some(output) = put(path).await else { return };
        assert_eq!(String::from_utf8_lossy(&output.stdout), status, "{path}: {output:?}");
    }
    assert_eq!(std::fs::read(uploads.join("board.log")).unwrap(), pattern(10_000));
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0);
    http.close().await.unwrap();
}

#[tokio::test]
async fn the_same_is_served_over_https_with_a_given_and_a_made_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let given = serde_json::json!({ "port": 0, "certificate": certificate, "key": key });
    let ca = ["--cacert", certificate.to_str().unwrap()];
    for (tls, trust) in [(given, &ca[..]), (serde_json::json!({ "port": 0 }), &["-k"])] {
        let config =
            serde_json::json!({ "root_dir": folder.path(), "host": "localhost", "port": 0, "tls": tls });
        let http = HttpServer::new(serde_json::from_value(config).unwrap());
        std::fs::write(folder.path().join("big"), pattern(5_000_000)).unwrap();
        http.start(TransferLog::default()).await.unwrap();
        let url = format!("https://localhost:{}/big", http.https_address().await.unwrap().port());
        let Some(output) = curl(&url, trust).await else { return };
        assert!(output.status.success() && output.stdout == pattern(5_000_000), "{:?}", output.status);
        let distrustful = curl(&url, &[]).await.unwrap();
        assert_eq!(
            distrustful.status.code(),
            Some(60),
            "a certificate nobody signed is not trusted by itself"
        );
        http.close().await.unwrap();
    }
}
