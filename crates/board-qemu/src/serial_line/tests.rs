//! The line, with a socket in the place of QEMU.

use std::time::Duration;

use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn board(serial: &Arc<SerialLine>) -> (UnixStream, tokio::task::JoinHandle<()>) {
    let (near, far) = UnixStream::pair().unwrap();
    (near, tokio::spawn(Arc::clone(serial).relay(far)))
}

async fn read(stream: &mut (impl AsyncRead + Unpin), count: usize) -> String {
    let mut bytes = vec![0; count];
    timeout(PATIENCE, stream.read_exact(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_line_stays_open_across_power_cycles() {
    let serial = Arc::new(SerialLine::default());
    let mut line = serial.open().unwrap();
    for _ in 0..3 {
        let (mut qemu, relay) = board(&serial);
        qemu.write_all(b"U-Boot").await.unwrap();
        assert_eq!(read(&mut line, 6).await, "U-Boot");
        line.write_all(b"boot").await.unwrap();
        assert_eq!(read(&mut qemu, 4).await, "boot");
        qemu.write_all(b"last words").await.unwrap();
        drop(qemu);
        timeout(PATIENCE, relay).await.unwrap().unwrap();
        assert_eq!(read(&mut line, 10).await, "last words");
        // More than the stream holds: writing it all means that most has been thrown away.
        timeout(PATIENCE, line.write_all(&vec![0; 2 * HOST_BUFFER])).await.unwrap().unwrap();
        line.write_all(b"into the void").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_line_has_one_user_at_a_time() {
    let serial = Arc::new(SerialLine::default());
    let first = serial.open().unwrap();
    assert!(matches!(serial.open(), Err(QemuError::Busy)));
    drop(first);
    let mut second = serial.open().unwrap();
    let (mut qemu, _relay) = board(&serial);
    qemu.write_all(b"hello").await.unwrap();
    assert_eq!(read(&mut second, 5).await, "hello");
}

#[tokio::test]
async fn a_reader_that_stands_still_does_not_stop_the_board() {
    let serial = Arc::new(SerialLine::default());
    let _idle = serial.open().unwrap();
    let (mut qemu, relay) = board(&serial);
    let flood = vec![b'x'; HOST_BUFFER + 2 * OUTPUT * PIECE];
    timeout(PATIENCE, qemu.write_all(&flood)).await.unwrap().unwrap();
    drop(qemu);
    timeout(PATIENCE, relay).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_line_ends_with_its_board() {
    let serial = Arc::new(SerialLine::default());
    let mut line = serial.open().unwrap();
    drop(serial);
    assert_eq!(timeout(PATIENCE, line.read(&mut [0])).await.unwrap().unwrap(), 0);
}
