//! The stored bytes of a source that a task fetches, for a thread to read.

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

use crate::Error;

/// Bytes that come over a channel.
pub(crate) struct Body {
    label: String,
    chunks: mpsc::Receiver<Result<Bytes, Error>>,
    rest: Bytes,
    ended: bool,
}

impl Body {
    /// What others hand over: chunks, and then an empty one as the mark of the end.
    pub(crate) fn new(label: String, chunks: mpsc::Receiver<Result<Bytes, Error>>) -> Body {
        Body { label, chunks, rest: Bytes::new(), ended: false }
    }

    /// Reads some bytes into `buffer`; 0 is the end. Blocks.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if self.rest.is_empty() && !self.ended {
            // Without the mark of the end (no bytes) the task was stopped: that is no end.
            self.rest =
                self.chunks.blocking_recv().ok_or_else(|| Error::Ended { label: self.label.clone() })??;
            self.ended = self.rest.is_empty();
        }
        let count = self.rest.len().min(buffer.len());
        self.rest.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
