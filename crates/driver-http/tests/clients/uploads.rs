//! What boards send back.

use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flasher_core::{Content, Upload};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::stage::{ServerStage, pattern, run};

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
    let stage = ServerStage::new().await;
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
async fn bad_upload_bodies_are_refused() {
    let stage = ServerStage::new().await;
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
    let stage = ServerStage::new().await;
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
