//! The serial line between the host and the board. It stays open across power cycles.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

use crate::error::SimError;

/// Bytes the host's side can hold before the board's output waits in the queue.
const HOST_BUFFER: usize = 64 * 1024;
/// Pieces of output, and of input, that wait at most; more are lost as on a line without flow control.
const QUEUE: usize = 16 * 1024;
/// A line that has just been closed is free within this time.
const FREE_WITHIN: Duration = Duration::from_secs(2);

/// Both ends of the serial line.
#[derive(Debug, Default)]
pub(crate) struct Wire(Mutex<Ends>);

#[derive(Debug, Default)]
struct Ends {
    host: Option<mpsc::Sender<Vec<u8>>>,
    board: Option<mpsc::Sender<Vec<u8>>>,
}

impl Wire {
    /// Opens the host's end. What the board printed while nobody listened is gone.
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
    pub(crate) fn print(&self, bytes: Vec<u8>) {
        if let Some(host) = &self.ends().host {
            // A full queue loses output, as an overrun does; an ended reader loses it too.
            host.try_send(bytes).ok();
        }
    }

    fn try_open(self: &Arc<Self>) -> Option<DuplexStream> {
        let mut ends = self.ends();
        if ends.host.as_ref().is_some_and(|host| !host.is_closed()) {
            return None;
        }
        let (near, far) = tokio::io::duplex(HOST_BUFFER);
        let (sender, receiver) = mpsc::channel(QUEUE);
        ends.host = Some(sender);
        tokio::spawn(pump(far, receiver, Arc::downgrade(self)));
        Some(near)
    }

    fn typed(&self, bytes: &[u8]) {
        if let Some(board) = &self.ends().board {
            board.try_send(bytes.to_vec()).ok();
        }
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries bytes both ways until the host lets go of its stream.
async fn pump(stream: DuplexStream, mut output: mpsc::Receiver<Vec<u8>>, wire: Weak<Wire>) {
    let (mut typed, mut printed) = tokio::io::split(stream);
    let inward = async {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = typed.read(&mut buffer).await {
            match wire.upgrade() {
                Some(wire) => wire.typed(&buffer[..count]),
                None => break,
            }
        }
    };
    let outward = async {
        while let Some(bytes) = output.recv().await {
            if printed.write_all(&bytes).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = inward => {}
        () = outward => {}
    }
}
