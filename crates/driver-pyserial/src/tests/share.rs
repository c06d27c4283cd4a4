//! One owner, many readers: watchers of the same process and of others, a slow one among them, and the recorder.

use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flasher_core::SerialDriver;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use super::{PATIENCE, heard, line, pty, written};

async fn watch(line: &Arc<dyn SerialDriver>) -> Box<dyn AsyncRead + Send + Unpin> {
    line.watch().await.unwrap().expect("somebody has it open")
}

async fn seen(watcher: &mut (impl AsyncRead + Unpin), length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    timeout(PATIENCE, watcher.read_exact(&mut bytes)).await.expect("the bytes arrive").unwrap();
    bytes
}

#[tokio::test]
async fn what_the_owner_hears_everybody_who_watches_hears() {
    let (mut board, path) = pty();
    let config = format!("url: {path}");
    // Two drivers over one line know each other only by the socket, as two processes do.
    let (owner, other) = (line(&config), line(&config));
    assert!(other.watch().await.unwrap().is_none(), "nobody has it open");
    let mut port = owner.open().await.unwrap();
    let (mut inside, mut outside) = (watch(&owner).await, watch(&other).await);
    // The socket takes watchers in turn: once the second one hears, it is there.
    for round in 0..500 {
        board.write_all(b".").unwrap();
        heard(&mut port, 1).await;
        if timeout(Duration::from_millis(20), outside.read(&mut [0])).await.is_ok() {
            break;
        }
        assert!(round < 499, "the watcher outside hears nothing");
    }
    board.write_all(b"\nU-Boot 2023.01\n").unwrap();
    heard(&mut port, 16).await;
    for watcher in [&mut inside, &mut outside] {
        while seen(watcher, 1).await != b"\n" {}
        assert_eq!(seen(watcher, 15).await, b"U-Boot 2023.01\n");
    }
    drop(port);
    assert!(other.watch().await.unwrap().is_none(), "nobody has it open any more");
    assert_eq!(
        timeout(PATIENCE, outside.read(&mut [0])).await.unwrap().unwrap(),
        0,
        "a watcher outside sees the end"
    );
}

#[tokio::test]
async fn a_slow_watcher_misses_bytes() {
    let (board, path) = pty();
    let line = line(&format!("url: {path}"));
    let mut port = line.open().await.unwrap();
    let mut lazy = watch(&line).await;
    let flood = std::thread::spawn(move || {
        let mut board = board;
        (0..64).try_for_each(|_| board.write_all(&[b'x'; 64 * 1024])).map(|()| board)
    });
    let mut left = 64 * 64 * 1024;
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        left -= timeout(PATIENCE, port.read(&mut buffer)).await.expect("the owner is not held up").unwrap();
    }
    let _board = flood.join().unwrap().unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"reading was too slow]\r\n") {
        text.extend(seen(&mut lazy, 1).await);
    }
    assert!(text.len() < 2 << 20, "what waits for a watcher is bounded: {}", text.len());
}

#[tokio::test]
async fn a_recorded_line_is_heard_also_between_two_owners() {
    let (mut board, path) = pty();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("console.log");
    let line = line(&format!("url: {path}, record: {{ file: {} }}", file.display()));
    let mut port = line.open().await.unwrap();
    board.write_all(b"one\n").unwrap();
    heard(&mut port, 4).await;
    drop(port);
    board.write_all(b"two\n").unwrap();
    written(&file, "two\n").await;
    line.probe().await.unwrap();
    let mut port = line.open().await.unwrap();
    board.write_all(b"three\n").unwrap();
    assert_eq!(heard(&mut port, 6).await, b"three\n");
    let text = written(&file, "three\n").await;
    let words: Vec<&str> = text.lines().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(words, ["one", "two", "three"]);
    assert!(text.lines().all(|line| line.starts_with("20") && line.as_bytes()[23] == b'Z'), "{text}");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    drop(port);
    line.close().await.unwrap();
    assert!(super::open(&format!("url: {path}")).await.is_ok(), "a line that was closed is free");
}

#[tokio::test]
async fn a_recorded_line_is_free_once_its_driver_is_dropped() {
    let (_board, path) = pty();
    let folder = tempfile::tempdir().unwrap();
    let recorded = line(&format!("url: {path}, record: {{ file: {} }}", folder.path().join("x").display()));
    drop(recorded.open().await.unwrap());
    drop(recorded);
    for _ in 0..500 {
        if super::open(&format!("url: {path}")).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the line is still held");
}
