//! Requests for files: what each is answered with.

use flasher_core::Content;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{LONG, ServerStage, curl, pattern, wget};

#[tokio::test]
async fn curl_and_wget_fetch_a_whole_file() {
    let stage = ServerStage::new().await;
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
    let stage = ServerStage::new().await;
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
    let stage = ServerStage::new().await;
    stage.write("file", pattern(100));
    std::fs::write(stage.folder.path().join("secret"), "s").unwrap();
    std::os::unix::fs::symlink("../secret", stage.site.root().join("out")).unwrap();
    std::os::unix::fs::symlink("file", stage.site.root().join("in")).unwrap();
    stage.site.publish("gone", Content::stream(None, || None)).unwrap();
    let cases = [
        ("GET", "/file", "", 200, 100),
        ("GET", "//file", "", 200, 100),
        ("GET", "/./file", "", 200, 100),
        ("GET", "/.%2f/file", "", 200, 100),
        ("GET", "/file/", "", 404, 14),
        ("GET", "/file/.", "", 404, 14),
        ("HEAD", "/./gone", "", 200, 0),
        ("HEAD", "/gone/", "", 404, 0),
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
    let stage = ServerStage::new().await;
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
    let stage = ServerStage::new().await;
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
async fn one_connection_carries_many_requests() {
    let stage = ServerStage::new().await;
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
async fn requests_name_their_host() {
    let stage = ServerStage::new().await;
    stage.write("file", "x");
    for (request, status) in [
        ("GET /file HTTP/1.1\r\n", "400"),
        ("HEAD /file HTTP/1.1\r\n", "400"),
        ("GET /missing HTTP/1.1\r\n", "400"),
        ("GET /file HTTP/1.1\r\nhost: a\r\nhost: a\r\n", "400"),
        ("GET /file HTTP/1.1\r\nhost: a/b\r\n", "400"),
        ("GET /file HTTP/1.1\r\nhost: a b\r\n", "400"),
        ("GET /file HTTP/1.1\r\nhost: u@a\r\n", "400"),
        ("GET http://a/file HTTP/1.1\r\n", "400"),
        ("GET /file HTTP/1.1\r\nhost: a\r\n", "200"),
        ("GET /file HTTP/1.1\r\nHost: [::1]:8080\r\n", "200"),
        ("GET /file HTTP/1.1\r\nhost:\r\n", "200"),
        ("GET http://a/file HTTP/1.1\r\nhost: a\r\n", "200"),
        ("GET /file HTTP/1.0\r\n", "200"),
    ] {
        let mut client = TcpStream::connect(stage.server.address()).await.unwrap();
        client.write_all(format!("{request}connection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(LONG, client.read_to_end(&mut answer)).await.expect("the connection ends").unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{request:?}: {answer}");
    }
}

#[tokio::test]
async fn hostile_bytes_get_an_error_and_the_server_lives() {
    let stage = ServerStage::new().await;
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
