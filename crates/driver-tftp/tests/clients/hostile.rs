//! Requests for what is not served, packets that are no requests, and clients that go away.

use std::time::Duration;

use driver_tftp::Settings;

use crate::peer::{LONG, SimulatedClient, TestServer, ack, fetch, pattern, request};

/// A name, and the content or error code it gets.
type RequestedName = (&'static [u8], Result<&'static [u8], u8>);

#[tokio::test]
async fn nothing_outside_the_root_is_served() {
    let stage = TestServer::new().await;
    stage.write("file", "x");
    stage.write("sub/file", "y");
    std::fs::write(stage.folder.path().join("secret"), "s").unwrap();
    for (link, target) in [("out", "../secret"), ("abs", "/etc/passwd"), ("in", "sub/file")] {
        std::os::unix::fs::symlink(target, stage.folder.path().join("root").join(link)).unwrap();
    }
    let cases: &[RequestedName] = &[
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
        (b"//file", Ok(b"x")),
        (b"./sub//./file", Ok(b"y")),
        (b"file/", Err(1)),
        (b"file/.", Err(1)),
        (b"//etc/passwd", Err(1)),
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
        let mut client = SimulatedClient::ask(stage.server.address(), &request(1, name, "octet", &[])).await;
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
    let stage = TestServer::new().await;
    let huge = request(1, &[b'n'; 4000], "octet", &[]);
    let cases = [
        (request(2, b"new", "octet", &[]), Some((2, "this server takes no such file"))),
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
        let mut client = SimulatedClient::ask(stage.server.address(), &packet).await;
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
    let answer = SimulatedClient::ask(stage.server.address(), &twice).await.hear(LONG).await.unwrap();
    assert_eq!(answer[..4], [0, 5, 0, 8]);
}

#[tokio::test]
async fn a_vanished_client_is_given_up_and_told() {
    let settings = Settings { first_wait: Duration::from_millis(5), retries: 3, ..Settings::default() };
    let stage = TestServer::with(settings).await;
    stage.write("file", pattern(5000));
    let mut client = SimulatedClient::ask(stage.server.address(), &request(1, b"file", "octet", &[])).await;
    let mut packets = Vec::new();
    while packets.last().is_none_or(|packet: &Vec<u8>| packet[1] == 3) {
        packets.push(client.hear(LONG).await.expect("another packet"));
    }
    assert_eq!(packets.len(), 5, "the block, three repetitions, the error");
    let reason = stage.outcomes(1).await.remove(0).unwrap_err();
    assert!(reason.starts_with("no answer in "), "{reason}");
    assert!(
        reason.ends_with(" s after sending 4 times; no block was acknowledged, 3 sent again"),
        "{reason}"
    );
}

#[tokio::test]
async fn requests_that_nobody_acknowledges_lock_nobody_out() {
    let stage = TestServer::new().await;
    stage.write("file", pattern(5000));
    let asking = request(1, b"file", "octet", &[]);
    let mut silent = Vec::new();
    for _ in 0..300 {
        let mut client = SimulatedClient::ask(stage.server.address(), &asking).await;
        // Each is admitted before the next one asks.
        client.hear(LONG).await.expect("the first block");
        silent.push(client);
    }
    let outcomes = stage.outcomes(44).await;
    let replaced = outcomes.iter().filter(|outcome| {
        outcome
            .as_ref()
            .is_err_and(|reason| reason.starts_with("a newer request of this address took its place"))
    });
    assert_eq!(replaced.count(), 44, "{outcomes:?}");
    let fetched = fetch(stage.server.address(), "file", "octet", &[], LONG).await.unwrap();
    assert!(fetched.bytes == pattern(5000));
    let oldest = silent.first_mut().unwrap();
    let told = loop {
        let packet = oldest.hear(LONG).await.expect("an error");
        if packet[1] == 5 {
            break packet;
        }
    };
    assert_eq!(&told[4..told.len() - 1], b"server busy");
}

#[tokio::test]
async fn transfers_that_are_acknowledged_keep_their_place() {
    let stage = TestServer::new().await;
    stage.write("file", pattern(500_000));
    let mut alive = Vec::new();
    for _ in 0..256 {
        let mut client =
            SimulatedClient::ask(stage.server.address(), &request(1, b"file", "octet", &[])).await;
        client.hear(LONG).await.expect("the first block");
        client.send(&ack(1)).await;
        // The second block shows that the acknowledgement was taken.
        while client.hear(LONG).await.expect("the second block")[3] != 2 {}
        alive.push(client);
    }
    let mut late = SimulatedClient::ask(stage.server.address(), &request(1, b"file", "octet", &[])).await;
    let refusal = late.hear(LONG).await.expect("a refusal");
    assert_eq!((refusal[1], &refusal[4..refusal.len() - 1]), (5, &b"server busy"[..]));
}

#[tokio::test]
async fn a_client_that_asks_for_the_length_only_has_not_failed() {
    let tsize: &[(&str, &str)] = &[("tsize", "0"), ("blksize", "1468")];
    let cases = [
        (tsize, 8, false, "size asked: 5000"),
        (tsize, 0, false, "size asked: 5000"),
        (tsize, 3, false, "the client ended it: error 3 \"enough\"; no block was acknowledged"),
        (
            &[("blksize", "1468")],
            8,
            false,
            "the client ended it: error 8 \"enough\"; no block was acknowledged",
        ),
        (tsize, 0, true, "the client ended it: error 0 \"enough\"; the last block acknowledged was 1"),
    ];
    for (options, code, reads, expected) in cases {
        let stage = TestServer::new().await;
        stage.write("file", pattern(5000));
        let mut client =
            SimulatedClient::ask(stage.server.address(), &request(1, b"file", "octet", options)).await;
        client.hear(LONG).await.expect("the options");
        if reads {
            for number in [0, 1] {
                client.send(&ack(number)).await;
                while client.hear(LONG).await.expect("a block")[3] != number as u8 + 1 {}
            }
        }
        client.send(&[&[0, 5, 0, code][..], b"enough\0"].concat()).await;
        let outcomes = stage.outcomes(1).await;
        assert!(
            matches!(&outcomes[0], Err(found) if found.starts_with(expected)),
            "{code} {reads}: {outcomes:?}"
        );
    }
}

#[tokio::test]
async fn closed_ports_and_errors_end_transfers() {
    let stage = TestServer::new().await;
    stage.write("file", pattern(50_000));
    let asking = request(1, b"file", "octet", &[]);
    let mut client = SimulatedClient::ask(stage.server.address(), &asking).await;
    client.hear(LONG).await.unwrap();
    drop(client);
    let reason = stage.outcomes(1).await.remove(0).unwrap_err();
    assert!(reason.starts_with("the client closed its port; no block was acknowledged"), "{reason}");
    let mut client = SimulatedClient::ask(stage.server.address(), &asking).await;
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
    let stage = TestServer::new().await;
    stage.write("file", pattern(5000));
    let asking = request(1, b"file", "octet", &[]);
    let mut client = SimulatedClient::ask(stage.server.address(), &asking).await;
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
