//! Adapters that vanish, come back under the same name, or do not.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::{PATIENCE, heard, open, pty};

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_renumbers_is_found_again_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("usb-FTDI_FT232R-if00-port0");
    let (mut board, path) = pty();
    symlink(&path, &name).unwrap();
    let mut port = open(&format!("url: {}", name.display())).await.unwrap();
    board.write_all(b"before").unwrap();
    assert_eq!(heard(&mut port, 6).await, b"before");
    // The board is switched off, and its adapter with it.
    std::fs::remove_file(&name).unwrap();
    drop(board);
    let (mut from, mut to) = tokio::io::split(port);
    let reader = tokio::spawn(async move {
        let mut text = String::new();
        let mut byte = [0];
        while !text.ends_with("after") {
            from.read_exact(&mut byte).await.unwrap();
            text.push(char::from(byte[0]));
        }
        text
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    // A user types meanwhile: it waits for the line.
    let writer = tokio::spawn(async move { to.write_all(b"typed").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (mut board, path) = pty();
    symlink(&path, &name).unwrap();
    timeout(PATIENCE, writer).await.unwrap().unwrap().unwrap();
    let mut typed = [0; 5];
    board.read_exact(&mut typed).unwrap();
    assert_eq!(&typed, b"typed");
    board.write_all(b"after").unwrap();
    let text = timeout(PATIENCE, reader).await.unwrap().unwrap();
    let (gap, after) = text.split_once(" s]\r\n").expect("the gap is marked");
    assert!(gap.starts_with("\r\n[the serial port was away for "), "{text}");
    assert_eq!(after, "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_stays_away_is_told_to_reader_and_writer() {
    // By a name of its own: the number of a pseudo-terminal soon belongs to another one.
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("usb-FTDI_FT232R-if00-port0");
    let (board, device) = pty();
    symlink(&device, &name).unwrap();
    let path = name.display();
    let mut port = open(&format!("url: {path}, reopen_seconds: 0.2")).await.unwrap();
    std::fs::remove_file(&name).unwrap();
    drop(board);
    let expected = format!("the serial port `{path}` vanished and did not come back within 0.2 s");
    let read = timeout(PATIENCE, port.read(&mut [0])).await.expect("reading ends").unwrap_err();
    assert_eq!(read.to_string(), expected);
    let write = timeout(PATIENCE, port.write(b"x")).await.expect("writing ends").unwrap_err();
    assert_eq!(write.to_string(), expected);
}
