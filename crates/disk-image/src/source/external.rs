//! Sources that the caller opens: bytes from somewhere this library knows nothing of, a registry for instance.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::source::body::Body;
use crate::{Blame, Digest, Error};

/// Stored bytes in order. Only a stream that ends without an error was the whole source; an error is the last thing it gives.
pub type ExternalStream = Pin<Box<dyn Stream<Item = Result<Bytes, ExternalError>> + Send>>;

/// The wait for a stream.
pub type ExternalFuture = Pin<Box<dyn Future<Output = Result<ExternalStream, ExternalError>> + Send>>;

/// Chunks between the stream and the decoder.
const QUEUE: usize = 4;

/// What went wrong with a source that the caller opens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExternalError {
    /// What and where, for people; without secrets.
    pub message: String,
    /// Who is to blame.
    pub blame: Blame,
}

/// A source that the caller opens, as often as needed and always from its beginning.
#[derive(Clone)]
pub struct ExternalSource {
    /// The name of the source for messages and receipts; without secrets.
    pub label: String,
    /// Length in bytes.
    pub length: u64,
    /// Digest that the stored bytes must have, apart from the one the user demands.
    pub sha256: Digest,
    /// Opens it.
    pub open: Arc<dyn Fn() -> ExternalFuture + Send + Sync>,
}

impl fmt::Debug for ExternalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalSource")
            .field("label", &self.label)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl ExternalSource {
    fn failed(&self, error: ExternalError) -> Error {
        Error::External { label: self.label.clone(), reason: error.message, blame: error.blame }
    }

    /// At least the first `needed` bytes, and as many of `wanted` as come without an error; and whether they are all there are.
    pub(crate) async fn head(&self, needed: usize, wanted: usize) -> Result<(Vec<u8>, bool), Error> {
        let mut stream = (self.open)().await.map_err(|e| self.failed(e))?;
        let mut head = Vec::new();
        while head.len() < wanted {
            match stream.next().await {
                Some(Ok(chunk)) => head.extend_from_slice(&chunk),
                Some(Err(error)) if head.len() < needed => return Err(self.failed(error)),
                Some(Err(_)) => return Ok((head, false)), // reported when it is read
                None => return Ok((head, true)),
            }
        }
        Ok((head, false))
    }

    /// All of it, for a thread to read. The handle stops the transfer.
    pub(crate) fn body(&self, runtime: &Handle) -> (Body, AbortHandle) {
        let (sender, chunks) = mpsc::channel(QUEUE);
        let external = self.clone();
        let task = runtime.spawn(async move {
            if let Err(error) = external.pump(&sender).await {
                // A receiver that is gone wants no error either.
                let _ = sender.send(Err(error)).await;
            }
        });
        (Body::new(self.label.clone(), chunks), task.abort_handle())
    }

    /// Hands over all bytes and then none as the mark of the end, which must be at the announced length.
    async fn pump(&self, sender: &mpsc::Sender<Result<Bytes, Error>>) -> Result<(), Error> {
        let mut stream = (self.open)().await.map_err(|e| self.failed(e))?;
        let mut received = 0;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|e| self.failed(e))?;
            received += chunk.len() as u64;
            if !chunk.is_empty() && sender.send(Ok(chunk)).await.is_err() {
                return Ok(());
            }
        }
        if received != self.length {
            let (label, expected) = (self.label.clone(), Some(self.length));
            return Err(Error::Cut { label, received, expected, reason: "the body ended early".into() });
        }
        let _ = sender.send(Ok(Bytes::new())).await; // no receiver, no need of an end
        Ok(())
    }
}
