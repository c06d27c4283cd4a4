//! The serial line between the host and the board. It stays open across power cycles.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::error::QemuError;

/// Bytes the host's stream holds before output waits in the queue.
const HOST_BUFFER: usize = 64 * 1024;
/// Bytes read at once.
const PIECE: usize = 4096;
/// Pieces of output that wait at most; more are lost, as on a line without flow control. A reader that stands still must
/// not stop the board.
const OUTPUT: usize = 2048;
/// Pieces of input that wait at most; then the writer waits.
const INPUT: usize = 16;

/// Both ends of the serial line.
#[derive(Debug)]
pub(crate) struct SerialLine {
    user: Arc<Semaphore>,
    ends: Mutex<PtyEnds>,
}

#[derive(Debug, Default)]
struct PtyEnds {
    host: Option<mpsc::Sender<Vec<u8>>>,
    board: Option<mpsc::Sender<Vec<u8>>>,
}

impl Default for SerialLine {
    fn default() -> Self {
        Self { user: Arc::new(Semaphore::new(1)), ends: Mutex::default() }
    }
}

impl SerialLine {
    /// Opens the host's end, for one user at a time. What the board printed while the line was closed is lost.
    pub(crate) fn open(self: &Arc<Self>) -> Result<HostEnd, QemuError> {
        let user = Arc::clone(&self.user).try_acquire_owned().map_err(|_| QemuError::Busy)?;
        let (stream, far) = tokio::io::duplex(HOST_BUFFER);
        let (sender, output) = mpsc::channel(OUTPUT);
        self.ends().host = Some(sender);
        tokio::spawn(pump(far, output, Arc::downgrade(self)));
        Ok(HostEnd { stream, _user: user })
    }

    /// Carries bytes between the board and the line's user, until the board hangs up. What is typed from then
    /// on is lost.
    pub(crate) async fn relay(self: Arc<Self>, board: UnixStream) {
        let (mut printed, mut keyboard) = board.into_split();
        let (sender, mut typed) = mpsc::channel::<Vec<u8>>(INPUT);
        self.ends().board = Some(sender);
        let inward = async {
            while let Some(bytes) = typed.recv().await {
                if keyboard.write_all(&bytes).await.is_err() {
                    break;
                }
            }
            // What the board printed last is still to be read.
            pending::<()>().await;
        };
        let outward = async {
            let mut buffer = [0; PIECE];
            while let Ok(count @ 1..) = printed.read(&mut buffer).await {
                self.print(&buffer[..count]);
            }
        };
        tokio::select! {
            () = inward => {}
            () = outward => {}
        }
    }

    fn print(&self, bytes: &[u8]) {
        if let Some(host) = &self.ends().host {
            // The reader is gone or too slow: the bytes are lost, see OUTPUT.
            host.try_send(bytes.to_vec()).ok();
        }
    }

    /// Without a board the bytes are lost.
    async fn typed(&self, bytes: &[u8]) {
        let board = self.ends().board.clone();
        if let Some(board) = board {
            board.send(bytes.to_vec()).await.ok();
        }
    }

    fn ends(&self) -> MutexGuard<'_, PtyEnds> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries bytes between the user's stream and the line until either is gone.
async fn pump(stream: DuplexStream, mut output: mpsc::Receiver<Vec<u8>>, serial: Weak<SerialLine>) {
    let (mut typed, mut printed) = tokio::io::split(stream);
    let inward = async {
        let mut buffer = [0; PIECE];
        while let Ok(count @ 1..) = typed.read(&mut buffer).await {
            let Some(serial) = serial.upgrade() else { break };
            serial.typed(&buffer[..count]).await;
        }
    };
    let outward = async {
        while let Some(bytes) = output.recv().await {
            if printed.write_all(&bytes).await.is_err() {
                // The user is gone; what he typed last is still to be carried.
                pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = inward => {}
        () = outward => {}
    }
}

/// The host's end of the line. Dropping it frees the line.
#[derive(Debug)]
pub(crate) struct HostEnd {
    stream: DuplexStream,
    _user: OwnedSemaphorePermit,
}

impl AsyncRead for HostEnd {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for HostEnd {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
