//! The image of a flash on its way from this process into the job.

use bytes::Bytes;
use flasher_core::{Class, Error, Result};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::failure::CallResult;
use crate::resource::{PipeEnds, StreamItem};

/// Takes the bytes of an image that was ordered as a file. Dropped before its end, it ends the job.
#[derive(Debug)]
pub struct ImageIntake {
    incoming: mpsc::Sender<StreamItem>,
    /// Kept open for as long as the image comes.
    _outgoing: mpsc::Receiver<CallResult<Bytes>>,
    hash: Sha256,
}

impl ImageIntake {
    pub(super) fn new(ends: PipeEnds) -> Self {
        Self { incoming: ends.incoming, _outgoing: ends.outgoing, hash: Sha256::new() }
    }

    /// Hands on what has come; waits while the job has no room for more.
    ///
    /// # Errors
    /// When the job takes no more: it has ended.
    pub async fn take(&mut self, bytes: Bytes) -> Result<()> {
        self.hash.update(&bytes);
        self.send(StreamItem::Data(bytes)).await
    }

    /// All of it has come.
    ///
    /// # Errors
    /// When the job has ended meanwhile.
    pub async fn finish(mut self) -> Result<()> {
        let digest = std::mem::take(&mut self.hash).finalize();
        self.send(StreamItem::Data(Bytes::copy_from_slice(&digest))).await?;
        self.send(StreamItem::End).await
    }

    async fn send(&self, item: StreamItem) -> Result<()> {
        self.incoming.send(item).await.map_err(|_| {
            Error::new(Class::Interrupted, "the job has ended and takes no more of the image")
                .retryable(false)
        })
    }
}
