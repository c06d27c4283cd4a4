//! A running decoding as its consumer sees it: extents, then a summary.

use tokio::task::AbortHandle;

use crate::backlog::{Consumer, Event};
use crate::{Cached, Digest, Error, Extent, Format};

/// Everything known about an image after its proven end. Lengths and offsets are bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The formats the image is wrapped in, the outermost first; none for a raw image.
    pub formats: Vec<Format>,
    /// Digest of the source as stored.
    pub source_sha256: Digest,
    /// Digest of all decoded bytes.
    pub decoded_sha256: Digest,
    /// Length of the source as stored.
    pub source_length: u64,
    /// Length of the decoded image.
    pub decoded_length: u64,
    /// Sum of all data extents.
    pub data_length: u64,
    /// Sum of all zero extents.
    pub zero_length: u64,
    /// Sum of all unmapped extents.
    pub unmapped_length: u64,
    /// The image in ranges, in order and without gaps. The first is the first block, the others end at multiples of
    /// [`RANGE`](crate::RANGE) or where a unmapped extent begins or ends.
    pub ranges: Vec<Range>,
    /// Which digest was the demanded one, if one was.
    pub checked: Option<DigestSubject>,
    /// What became of it in the cache.
    pub cached: Cached,
}

/// What the demanded digest was the digest of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestSubject {
    /// The source as stored. Also said of raw images, where both are the same.
    Source,
    /// The decoded image.
    Decoded,
}

/// A part of the decoded image with a digest of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub length: u64,
    /// Digest of its bytes, zeros included.
    pub sha256: Digest,
    /// What it holds.
    pub kind: RangeKind,
}

/// What a range holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeKind {
    /// At least one byte that is not zero.
    Data,
    /// Zeros only.
    Zero,
    /// Nothing that must be on the medium: it is neither written nor read back. Its digest is that of the image all the same.
    Unmapped,
}

/// Decodes an image from its beginning, at once and ahead of its consumer: 4 MiB are held in memory, and as much as
/// there is when a copy goes into the cache. Dropping it stops the work and closes the source.
#[derive(Debug)]
pub struct Decoding {
    label: String,
    events: Consumer,
    transfer: Option<AbortHandle>,
    summary: Option<Summary>,
}

impl Decoding {
    pub(crate) fn new(label: String, events: Consumer, transfer: Option<AbortHandle>) -> Decoding {
        Decoding { label, events, transfer, summary: None }
    }

    /// The next extent; `None` after the last, when the whole image is proven. May be cancelled without loss.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the source; after an error there is no more than [`Error::Ended`].
    pub async fn next(&mut self) -> Result<Option<Extent>, Error> {
        if self.summary.is_some() {
            return Ok(None);
        }
        let event = self.events.next().await.map_err(|error| self.unreadable(&error))?;
        match event.ok_or_else(|| Error::Ended { label: self.label.clone() })?? {
            Event::Extent(extent) => Ok(Some(extent)),
            Event::End(summary) => {
                self.summary = Some(summary);
                Ok(None)
            }
        }
    }

    /// What is wrong with the source, if that has shown already, however many extents were not taken yet. There are none after it.
    pub fn failure(&mut self) -> Option<Error> {
        self.events.failure()
    }

    fn unreadable(&self, error: &std::io::Error) -> Error {
        let reason = format!("what was decoded cannot be read again from its copy in the cache: {error}");
        Error::Machine { label: self.label.clone(), reason }
    }

    /// What was found out, once [`Decoding::next`] gave `None`.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        // The thread notices the closed channel; only a silent server could keep it waiting.
        if let Some(transfer) = &self.transfer {
            transfer.abort();
        }
    }
}
