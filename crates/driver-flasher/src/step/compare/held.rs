//! What a medium was seen to hold of an image.

use disk_image::Range;

use crate::survey::Surveyed;

/// An image, and what of it the medium does not hold.
pub(crate) struct Comparison {
    pub(crate) surveyed: Surveyed,
    /// The pieces that differ, in order.
    pub(crate) differing: Vec<Range>,
    /// How many writes there had been when the medium was read.
    pub(crate) writes: u64,
}

impl Comparison {
    /// Bytes that were compared.
    pub(super) fn length(&self) -> u64 {
        self.surveyed.pieces.iter().map(|piece| piece.length).sum()
    }

    /// Bytes of them that are there already, and stay. The first block goes away before anything is written.
    pub(super) fn equal(&self) -> u64 {
        let goes = |piece: &&Range| piece.offset == 0 && !self.differing.is_empty();
        let first = self.surveyed.pieces.first().filter(goes).filter(|piece| !self.differs_in(piece));
        let written = self.differing.iter().chain(first).map(|piece| piece.length).sum::<u64>();
        self.length() - written
    }

    /// Whether any byte of a range differs.
    pub(crate) fn differs_in(&self, range: &Range) -> bool {
        let end = range.offset + range.length;
        self.differing.iter().any(|piece| piece.offset < end && range.offset < piece.offset + piece.length)
    }
}
