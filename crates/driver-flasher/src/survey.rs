//! An image decoded to its end before any of it is written: what it is, and the digests of its pieces.
//!
//! The digests are of the bytes that this very decoding gave, after all that is demanded of the image was seen to hold. No digest
//! of a former job is used.

mod pieces;

use bytes::Bytes;
use disk_image::{BLOCK, Extent, Image, Range, Summary};
use flasher_core::flash::ViaUsed;
use flasher_core::{Class, Error, Result};
use tokio::sync::mpsc;

use crate::blocking::AbortOnDrop;
use crate::trouble;
use pieces::Pieces;

/// Extents that wait to be hashed, at most: each is up to 1 MiB.
const WAITING: usize = 4;
/// Length of a piece where reading another costs little, bytes.
const FINE: u64 = 1 << 20;
/// The same where each takes several commands.
const COARSE: u64 = 4 << 20;

/// What was found out.
pub(crate) struct Surveyed {
    pub(crate) summary: Summary,
    /// The beginning of the image, at most a block; empty when the image leaves it alone.
    pub(crate) first: Bytes,
    /// All that counts, in order: the first block, and pieces of the rest.
    pub(crate) pieces: Vec<Range>,
}

/// A survey under way. Dropping it ends it.
pub(crate) struct Survey(AbortOnDrop<Result<Surveyed>>);

impl Survey {
    /// Begins to decode `image`, in pieces that suit this way to the medium.
    pub(crate) fn begin(image: &Image, via: ViaUsed) -> Self {
        let grain = if via == ViaUsed::Uboot { COARSE } else { FINE };
        Self(AbortOnDrop(tokio::spawn(survey(image.clone(), grain))))
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        self.0.0.is_finished()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What is wrong with the image.
    pub(crate) async fn end(mut self) -> Result<Surveyed> {
        self.0.decoded().await
    }
}

async fn survey(image: Image, grain: u64) -> Result<Surveyed> {
    let (sender, extents) = mpsc::channel(WAITING);
    let hashing = tokio::task::spawn_blocking(move || hash(extents, grain));
    let mut decoding = image.decode();
    let mut first = Bytes::new();
    while let Some(extent) = decoding.next().await.map_err(trouble::image)? {
        if let Extent::Data { offset: 0, bytes } = &extent {
            first = bytes.slice(..bytes.len().min(BLOCK as usize));
        }
        if sender.send(extent).await.is_err() {
            break;
        }
    }
    drop(sender);
    let ended = |_| Error::new(Class::Internal, "a thread that hashes an image ended unexpectedly");
    let pieces = hashing.await.map_err(ended)?;
    let summary = decoding.summary().cloned();
    let summary = summary.ok_or_else(|| Error::new(Class::Internal, "the image ended without a summary"))?;
    Ok(Surveyed { summary, first, pieces })
}

/// Blocks its thread.
fn hash(mut extents: mpsc::Receiver<Extent>, grain: u64) -> Vec<Range> {
    let mut pieces = Pieces::new(grain);
    while let Some(extent) = extents.blocking_recv() {
        pieces.push(&extent);
    }
    pieces.finish()
}
