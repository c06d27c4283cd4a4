//! The parts of a decoded image, as they are handed out.

use bytes::Bytes;

/// A part of the decoded image. Extents come in order and without gaps; the first is data, whatever it holds, unless the image
/// does not care about its first block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// Bytes to write: at most 1 MiB, never across a multiple of 1 MiB, so never across the end of a range.
    Data {
        /// Where they belong, in bytes from the beginning.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// Zeros: a multiple of [`BLOCK`](crate::BLOCK), at most 64 MiB. A run of them is at least 1 MiB.
    Zero {
        /// Where they begin, in bytes from the beginning.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// Need not be written, as the image's block map or its sparse format says: a multiple of [`BLOCK`](crate::BLOCK), at most 64 MiB. A run of
    /// it is at least 1 MiB, but for the first block of the image.
    Unmapped {
        /// Where it begins, in bytes from the beginning.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
}

impl Extent {
    /// Where it belongs, in bytes from the beginning.
    pub fn offset(&self) -> u64 {
        match self {
            Extent::Data { offset, .. } | Extent::Zero { offset, .. } | Extent::Unmapped { offset, .. } => {
                *offset
            }
        }
    }

    /// How many bytes of the image it covers.
    pub fn length(&self) -> u64 {
        match self {
            Extent::Data { bytes, .. } => bytes.len() as u64,
            Extent::Zero { length, .. } | Extent::Unmapped { length, .. } => *length,
        }
    }
}
