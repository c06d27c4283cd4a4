//! Content made as it goes: exact when it is whole, and never taken for whole when it is not.

use std::io;

use bytes::Bytes;
use flasher_core::Content;
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{LONG, ServerStage, curl, pattern, wget};

/// 64 KiB pieces without end, or with an error after `good` of them.
pub(crate) fn pieces(good: usize) -> Content {
    Content::stream(None, move || {
        let good_ones = stream::repeat(Bytes::from(vec![7; 64 * 1024])).map(Ok).take(good);
        Some(good_ones.chain(stream::once(async { Err(io::Error::other("the decoder failed")) })).boxed())
    })
}

#[tokio::test]
async fn published_content_arrives_exactly_and_is_counted() {
    let stage = ServerStage::new().await;
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
    let stage = ServerStage::new().await;
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
    let stage = ServerStage::new().await;
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
    let stage = ServerStage::new().await;
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
