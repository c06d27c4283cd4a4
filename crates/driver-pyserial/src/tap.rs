//! What the owner of a line hears goes to everybody who watches, and to the recorder. The owner waits for none of them: who is too slow
//! misses something, and is told so.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flasher_core::ByteStream;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::record::Recorder;

/// Largest piece that is handed on, bytes.
pub(crate) const PIECE: usize = 4096;
/// Pieces that wait for a watcher at most: with [`PIECE`], 1 MiB for all watchers together.
const WAITING: usize = 256;
/// What a watcher holds until it is read, bytes.
const HELD: usize = 64 * 1024;

/// Where what is heard goes.
#[derive(Debug)]
pub(crate) struct Tap {
    watchers: broadcast::Sender<Bytes>,
    recorder: Option<Arc<Recorder>>,
}

impl Tap {
    pub(crate) fn new() -> Self {
        Self { watchers: broadcast::channel(WAITING).0, recorder: None }
    }

    /// The same watchers, and a recorder.
    pub(crate) fn recorded(&self, recorder: Arc<Recorder>) -> Self {
        Self { watchers: self.watchers.clone(), recorder: Some(recorder) }
    }

    /// The same watchers and recorder.
    pub(crate) fn again(&self) -> Self {
        Self { watchers: self.watchers.clone(), recorder: self.recorder.clone() }
    }

    fn hear(&self, bytes: &[u8]) {
        if self.watchers.receiver_count() == 0 && self.recorder.is_none() {
            return;
        }
        for piece in bytes.chunks(PIECE) {
            let piece = Bytes::copy_from_slice(piece);
            if let Some(recorder) = &self.recorder {
                recorder.take(piece.clone());
            }
            // It fails when nobody watches.
            let _ = self.watchers.send(piece);
        }
    }

    /// Everything that is heard from now on.
    pub(crate) fn watch(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(HELD);
        tokio::spawn(forward(self.watchers.subscribe(), ours));
        theirs
    }

    /// A receiver of everything that is heard from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Bytes> {
        self.watchers.subscribe()
    }
}

/// Hands pieces on until the watcher or the line is gone.
pub(crate) async fn forward(mut pieces: broadcast::Receiver<Bytes>, mut to: impl AsyncWrite + Unpin) {
    loop {
        let written = match pieces.recv().await {
            Ok(piece) => to.write_all(&piece).await,
            Err(RecvError::Lagged(missed)) => {
                to.write_all(format!("\r\n[{missed} pieces missed: reading was too slow]\r\n").as_bytes())
                    .await
            }
            Err(RecvError::Closed) => return,
        };
        // A watcher that hung up has seen enough.
        if written.is_err() {
            return;
        }
    }
}

/// A line that is listened to.
pub(crate) struct Tapped {
    line: Box<dyn ByteStream>,
    tap: Tap,
}

impl Tapped {
    pub(crate) fn new(line: Box<dyn ByteStream>, tap: Tap) -> Self {
        Self { line, tap }
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.line).poll_read(context, buffer))?;
        this.tap.hear(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().line).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().line).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().line).poll_shutdown(context)
    }
}
