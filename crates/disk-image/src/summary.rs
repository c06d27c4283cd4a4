//! What is known of an image once all of it was decoded.

use serde::{Deserialize, Serialize};

use crate::{Digest, Format};

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RangeKind {
    /// At least one byte that is not zero.
    Data,
    /// Zeros only.
    Zero,
    /// Nothing that must be on the medium: it is neither written nor read back. Its digest is that of the image all the same.
    Unmapped,
}

/// What became of an image in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cached {
    /// There is no cache, or the source's state cannot be identified, or the source is a raw local file that needs no copy.
    No,
    /// It was decoded and is kept now.
    Kept,
    /// It came out of the cache, nothing was decoded.
    Hit,
    /// It could not be kept, for this reason.
    Failed(String),
}
