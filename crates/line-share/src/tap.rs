//! What the owner of a line hears goes to every watcher, and to a recorder. The owner waits for none of them: a watcher that is too slow
//! misses something, and a line in its text says so.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::sync::broadcast::{self, error::RecvError};

/// A receiver of everything that the owner of a line hears.
pub trait Take: fmt::Debug + Send + Sync {
    /// Takes a piece of at most [`PIECE`] bytes. Never waits.
    fn take(&self, piece: Bytes);
}

/// Largest piece that is handed on, bytes.
pub const PIECE: usize = 4096;
/// Pieces that wait for a watcher at most: with [`PIECE`], 1 MiB for all watchers together.
const WAITING: usize = 256;
/// What a watcher holds until it is read, bytes.
const HELD: usize = 64 * 1024;

/// Where what is heard goes.
#[derive(Clone, Debug)]
pub(crate) struct Tap {
    watchers: broadcast::Sender<Bytes>,
    also: Option<Arc<dyn Take>>,
}

impl Default for Tap {
    fn default() -> Self {
        Self { watchers: broadcast::channel(WAITING).0, also: None }
    }
}

impl Tap {
    /// The same watchers, and who takes everything.
    pub(crate) fn also(&self, also: Option<Arc<dyn Take>>) -> Self {
        Self { watchers: self.watchers.clone(), also }
    }

    pub(crate) fn hear(&self, bytes: &[u8]) {
        if self.watchers.receiver_count() == 0 && self.also.is_none() {
            return;
        }
        for piece in bytes.chunks(PIECE) {
            let piece = Bytes::copy_from_slice(piece);
            if let Some(also) = &self.also {
                also.take(piece.clone());
            }
            // It fails when there is no watcher.
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
