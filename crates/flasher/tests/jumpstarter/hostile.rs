//! Clients that mean harm, or are broken: each gets an error or is cut off, and the exporter goes on in bounded memory.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use h2::client::SendRequest;
use http::{Request, Uri};

use crate::lab::{BENCH, Exporter, Lab};

const CALL: &str = "/jumpstarter.v1.ExporterService/DriverCall";
const STREAM: &str = "/jumpstarter.v1.RouterService/Stream";
const REPORT: &str = "/jumpstarter.v1.ExporterService/GetReport";
/// Memory that one attack may cost, MiB.
const BOUND: u64 = 96;

/// A connection of its own.
async fn connect(exporter: &Exporter) -> SendRequest<bytes::Bytes> {
    let stream = tokio::net::TcpStream::connect(&exporter.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { connection.await.ok() }); // cut off is what some here expect
    client
}

/// Calls with a body as it is; gives the gRPC status, or nothing when the stream was cut.
async fn call(exporter: &Exporter, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<String> {
    let mut client = connect(exporter).await.ready().await.ok()?;
    let uri: Uri = format!("http://lab{path}").parse().unwrap();
    let mut request = Request::post(uri).header("content-type", "application/grpc").header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (response, mut sender) = client.send_request(request.body(()).unwrap(), false).ok()?;
    let sent = sender.send_data(bytes::Bytes::copy_from_slice(body), true);
    let response = response.await.ok()?;
    let status = |headers: &http::HeaderMap| Some(headers.get("grpc-status")?.to_str().unwrap().to_owned());
    if let Some(status) = status(response.headers()) {
        return Some(status);
    }
    sent.ok()?;
    let mut body = response.into_body();
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data.ok()?.len()).unwrap();
    }
    status(&body.trailers().await.ok()??)
}

/// A gRPC message: flag, length, bytes.
fn message(bytes: &[u8]) -> Vec<u8> {
    [&[0], &u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// Memory of the exporter, MiB.
fn memory(exporter: &Exporter) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", exporter.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
}

async fn assert_well(exporter: &Exporter, before: u64, attack: &str) {
    let nothing = message(&[]);
    let report = tokio::time::timeout(Duration::from_secs(30), call(exporter, REPORT, &[], &nothing));
    assert_eq!(report.await.ok().flatten().as_deref(), Some("0"), "{attack}: the exporter serves on");
    let now = memory(exporter);
    assert!(now < before + BOUND, "{attack}: {before} MiB became {now} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_none_get_an_error_status() {
    let exporter = Lab::new(BENCH).listen(&["--listen", "127.0.0.1:0"]);
    let before = memory(&exporter);
    let huge = message(&vec![b'x'; 5 << 20]);
    let deep: Vec<u8> = (0..200).fold(Vec::new(), |inner, _| nested(&inner));
    let bodies: [(&str, Vec<u8>); 8] = [
        ("a field that goes beyond the message", message(&[0x0a, 0x7f, b'x'])),
        ("no protobuf at all", message(b"GET / HTTP/1.1\r\n\r\n")),
        ("text that is no UTF-8", message(&[0x0a, 2, 0xff, 0xfe])),
        ("values nested without end", message(&deep)),
        ("four gigabytes announced", vec![0, 0xff, 0xff, 0xff, 0xff, 1]),
        ("compressed with nothing", vec![1, 0, 0, 0, 1, 0]),
        ("half a message", vec![0, 0, 0, 0, 9, 1]),
        ("more than is taken", huge),
    ];
    for (what, body) in &bodies {
        let status = call(&exporter, CALL, &[], body).await;
        assert_ne!(status.as_deref(), Some("0"), "{what}");
    }
    let many = format!("{{\"kind\":\"driver\",\"uuid\":\"{}\"}}", "x".repeat(9000));
    let metas = [
        ("", "3"),
        ("no json", "3"),
        (r#"{"kind":"nothing"}"#, "3"),
        (r#"{"kind":"driver"}"#, "3"),
        (r#"{"kind":"driver","uuid":"x","method":"connect"}"#, "5"),
        (r#"{"kind":"resource","uuid":"00000000-0000-0000-0000-000000000000"}"#, "5"),
        (many.as_str(), "3"),
    ];
    for (meta, status) in metas {
        assert_eq!(
            call(&exporter, STREAM, &[("request", meta)], &[]).await.as_deref(),
            Some(status),
            "{meta:.80}"
        );
    }
    assert_eq!(call(&exporter, STREAM, &[], &[]).await.as_deref(), Some("3"), "no wish at all");
    for path in ["/", "/nothing/here", "/jumpstarter.v1.ExporterService/Nothing"] {
        assert_eq!(call(&exporter, path, &[], &message(&[])).await.as_deref(), Some("12"), "{path}");
    }
    assert_well(&exporter, before, "broken messages").await;
}

/// A value around another one: a list with one element, as an argument.
fn nested(inner: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| {
        let mut rest = bytes.len();
        let mut out = Vec::new();
        while rest > 0x7f {
            out.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
            rest >>= 7;
        }
        out.push(u8::try_from(rest).unwrap());
        out
    };
    [&[0x1a][..], &length(inner), inner].concat()
}

/// One HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header block that asks for the log: plain literals that no table keeps.
fn log_stream() -> Vec<u8> {
    let literal = |name: &str, value: &str| {
        let length = |text: &str| u8::try_from(text.len()).unwrap();
        [&[0x10, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
    };
    [
        literal(":method", "POST"),
        literal(":scheme", "http"),
        literal(":path", "/jumpstarter.v1.ExporterService/LogStream"),
        literal(":authority", "lab"),
        literal("content-type", "application/grpc"),
        literal("te", "trailers"),
    ]
    .concat()
}

/// Sends bytes behind a proper beginning, as fast as they go, and reads until the exporter has had enough or is silent.
fn attack(exporter: &Exporter, bytes: &[u8]) {
    let mut stream = TcpStream::connect(&exporter.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    stream.write_all(&frame(4, 0, 0, &[])).unwrap();
    // The exporter may cut the connection at any byte, which is what it is free to do.
    let sent = bytes.chunks(64 * 1024).try_for_each(|piece| stream.write_all(piece));
    let mut sink = [0; 64 * 1024];
    while stream.read(&mut sink).is_ok_and(|count| count > 0) {}
    drop(sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_are_cut_off() {
    let exporter = Lab::new(BENCH).listen(&["--listen", "127.0.0.1:0"]);
    assert_well(&exporter, memory(&exporter), "nothing yet").await;
    let before = memory(&exporter);
    let odd = |count: u32| (0..count).map(|number| number * 2 + 1);
    let open = |stream| frame(1, 4, stream, &log_stream());
    // A table entry of 4000 bytes, and 16 000 references to it in one block.
    let entry = [&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e][..], &[b'y'; 4000], &vec![0xbe; 16_000]].concat();
    let endless = [frame(1, 0, 1, &log_stream()), frame(9, 0, 1, &[b'z'; 16_000]).repeat(2000)].concat();
    let attacks: [(&str, Vec<u8>); 8] = [
        ("10 000 open streams", odd(10_000).flat_map(open).collect()),
        (
            "10 000 streams opened and reset",
            odd(10_000)
                .flat_map(|stream| [open(stream), frame(3, 0, stream, &[0, 0, 0, 8])].concat())
                .collect(),
        ),
        ("an HPACK bomb", frame(1, 4, 1, &entry)),
        ("a header block without end", endless),
        ("100 000 settings", frame(4, 0, 0, &[0, 3, 0, 0, 0, 1]).repeat(100_000)),
        ("100 000 pings", frame(6, 0, 0, &[0; 8]).repeat(100_000)),
        ("frames of unknown types", (10..250).flat_map(|kind| frame(kind, 0xff, 1, &[1; 100])).collect()),
        ("no frames at all", vec![0xa5; 1 << 20]),
    ];
    for (what, bytes) in attacks {
        let (address, child) = (&exporter, &bytes);
        tokio::task::block_in_place(|| attack(address, child));
        assert_well(&exporter, before, what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_clients_that_say_nothing_keep_nobody_out() {
    let exporter = Lab::new(BENCH).listen(&["--listen", "127.0.0.1:0"]);
    let before = memory(&exporter);
    let silent: Vec<_> = (0..200).map(|_| TcpStream::connect(&exporter.address).unwrap()).collect();
    assert_well(&exporter, before, "200 silent connections").await;
    drop(silent);
}
