//! The serial line between the host and the board. It stays open across power cycles.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Notify, mpsc};

use crate::error::SimError;

/// Bytes the host's side can hold before the board's output waits in the queue.
const HOST_BUFFER: usize = 64 * 1024;
/// Pieces of input that wait at most; more are lost as on a line without flow control.
const QUEUE: usize = 16 * 1024;
/// Bytes of output that wait at most.
const OUTPUT: usize = 4 * 1024 * 1024;
/// A line that has just been closed is free within this time.
const FREE_WITHIN: Duration = Duration::from_secs(2);

/// Output on its way to the host.
#[derive(Debug, Default)]
struct OutputQueue {
    bytes: Mutex<Vec<u8>>,
    filled: Notify,
}

impl OutputQueue {
    fn put(&self, bytes: &[u8]) {
        let mut waiting = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        // A full box loses output, as an overrun does.
        if waiting.len() < OUTPUT {
            waiting.extend_from_slice(bytes);
        }
        self.filled.notify_one();
    }

    async fn take(&self) -> Vec<u8> {
        loop {
            let bytes = std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner));
            if !bytes.is_empty() {
                return bytes;
            }
            self.filled.notified().await;
        }
    }
}

/// Both ends of the serial line.
#[derive(Debug, Default)]
pub(crate) struct SerialPty(Mutex<PtyEnds>);

#[derive(Debug, Default)]
struct PtyEnds {
    /// Alive as long as the host's stream is.
    host: Weak<OutputQueue>,
    board: Option<mpsc::Sender<Vec<u8>>>,
}

impl SerialPty {
    /// Opens the host's end. What the board printed while the line was closed is lost.
    pub(crate) async fn open(self: &Arc<Self>) -> Result<DuplexStream, SimError> {
        let mut patience = FREE_WITHIN.as_millis() / 5;
        loop {
            if let Some(stream) = self.try_open() {
                return Ok(stream);
            }
            patience = patience.checked_sub(1).ok_or(SimError::Busy)?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Connects the board that has just been powered on.
    pub(crate) fn attach(&self) -> mpsc::Receiver<Vec<u8>> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.ends().board = Some(sender);
        receiver
    }

    /// Disconnects the board: what is typed from now on is lost.
    pub(crate) fn detach(&self) {
        self.ends().board = None;
    }

    /// The board prints.
    pub(crate) fn print(&self, bytes: &[u8]) {
        if let Some(host) = self.ends().host.upgrade() {
            host.put(bytes);
        }
    }

    fn try_open(self: &Arc<Self>) -> Option<DuplexStream> {
        let mut ends = self.ends();
        if ends.host.strong_count() > 0 {
            return None;
        }
        let (near, far) = tokio::io::duplex(HOST_BUFFER);
        let outbox = Arc::new(OutputQueue::default());
        ends.host = Arc::downgrade(&outbox);
        tokio::spawn(pump(far, outbox, Arc::downgrade(self)));
        Some(near)
    }

    fn typed(&self, bytes: &[u8]) {
        if let Some(board) = &self.ends().board {
            board.try_send(bytes.to_vec()).ok();
        }
    }

    fn ends(&self) -> MutexGuard<'_, PtyEnds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries bytes both ways until the host lets go of its stream.
async fn pump(stream: DuplexStream, outbox: Arc<OutputQueue>, serial_pty: Weak<SerialPty>) {
    let (mut typed, mut printed) = tokio::io::split(stream);
    let inward = async {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = typed.read(&mut buffer).await {
            match serial_pty.upgrade() {
                Some(serial_pty) => serial_pty.typed(&buffer[..count]),
                None => break,
            }
        }
    };
    let outward = async { while printed.write_all(&outbox.take().await).await.is_ok() {} };
    tokio::select! {
        () = inward => {}
        () = outward => {}
    }
}
