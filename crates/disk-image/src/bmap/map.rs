//! A block map: which blocks of an image matter, and the checksums of those that do.

use std::sync::Arc;

use crate::{BLOCK, Digest, Error};

/// A function that the checksums of a map are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SumKind {
    Sha1,
    Sha256,
    Sha512,
}

/// Bytes of the image that matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) sum: Option<Vec<u8>>,
}

/// A block map. Its ranges are in order, do not overlap and lie within the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Map {
    pub(crate) version: (u32, u32),
    pub(crate) image_length: u64,
    pub(crate) kind: SumKind,
    pub(crate) ranges: Vec<Mapped>,
}

impl Map {
    /// Whether there is a checksum to verify.
    pub(crate) fn has_sums(&self) -> bool {
        self.ranges.iter().any(|range| range.sum.is_some())
    }

    /// Which of the blocks from `offset` on do not matter: a bit for each, the lowest for the first.
    pub(crate) fn unmapped(&self, offset: u64) -> u16 {
        let free = |index: u64| !self.touches(offset + index * BLOCK, offset + (index + 1) * BLOCK);
        (0..16).filter(|index| free(*index)).fold(0, |bits, index| bits | 1 << index)
    }

    fn touches(&self, start: u64, end: u64) -> bool {
        let next = self.ranges.partition_point(|range| range.end <= start);
        self.ranges.get(next).is_some_and(|range| range.start < end)
    }
}

/// A block map and where it came from.
#[derive(Debug)]
pub(crate) struct BlockMap {
    /// For messages and receipts, without secrets.
    pub(crate) label: String,
    pub(crate) map: Arc<Map>,
    /// Digest of the file.
    pub(crate) sha256: Digest,
}

impl BlockMap {
    /// What a receipt says of it.
    pub(crate) fn describe(&self) -> String {
        let (major, minor) = self.map.version;
        let sums = self.map.ranges.iter().filter(|range| range.sum.is_some()).count();
        format!(
            "{} (version {major}.{minor}, {sums} of {} ranges with a checksum)",
            self.label,
            self.map.ranges.len()
        )
    }

    /// The length of the image must be the one of the map.
    pub(crate) fn check_length(&self, label: &str, found: u64) -> Result<(), Error> {
        let expected = self.map.image_length;
        match found == expected {
            true => Ok(()),
            false => Err(Error::MapLength { label: label.into(), map: self.label.clone(), expected, found }),
        }
    }
}
