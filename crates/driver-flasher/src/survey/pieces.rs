//! An image cut into pieces, each with its digest: what is compared, and what is written where it differs.

use disk_image::{BLOCK, Extent, RANGE, Range, RangeHash, RangeKind};

/// Zeros that are hashed in one go.
static ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];

/// Cuts extents, which come in order, into pieces.
pub(super) struct Pieces {
    /// Where pieces with data end: at multiples of it, bytes.
    grain: u64,
    done: Vec<Range>,
    /// Where the piece begins that is not complete yet.
    offset: u64,
    length: u64,
    hash: RangeHash,
}

impl Pieces {
    pub(super) fn new(grain: u64) -> Self {
        Self { grain, done: Vec::new(), offset: 0, length: 0, hash: RangeHash::default() }
    }

    /// Takes the next extent. What does not matter is in no piece.
    pub(super) fn push(&mut self, extent: &Extent) {
        match extent {
            Extent::Data { bytes, .. } => self.take(bytes, false),
            Extent::Zero { length, .. } => {
                let mut left = *length;
                while left > 0 {
                    let some = left.min(BLOCK);
                    self.take(&ZEROS[..some as usize], true);
                    left -= some;
                }
            }
            Extent::Unmapped { length, .. } => {
                self.end();
                self.offset += length;
            }
        }
    }

    /// All pieces.
    pub(super) fn finish(mut self) -> Vec<Range> {
        self.end();
        self.done
    }

    fn take(&mut self, mut bytes: &[u8], are_zeros: bool) {
        while !bytes.is_empty() {
            let at = self.offset + self.length;
            // Zeros go on for as long as they may, and end where data begins.
            if at.is_multiple_of(self.grain) && !are_zeros {
                self.end();
            }
            let limit = if at < BLOCK { BLOCK - at } else { self.grain - at % self.grain };
            let (some, rest) = bytes.split_at(limit.min(bytes.len() as u64) as usize);
            self.hash.update(some);
            self.length += some.len() as u64;
            let end = at + some.len() as u64;
            let is_full = end.is_multiple_of(self.grain) && !self.hash.is_zero();
            if is_full || end == BLOCK || end.is_multiple_of(RANGE) {
                self.end();
            }
            bytes = rest;
        }
    }

    fn end(&mut self) {
        let length = std::mem::take(&mut self.length);
        if length == 0 {
            return;
        }
        let kind = if self.hash.is_zero() { RangeKind::Zero } else { RangeKind::Data };
        self.done.push(Range { offset: self.offset, length, sha256: self.hash.finish(), kind });
        self.offset += length;
    }
}

#[cfg(test)]
mod tests {
    use disk_image::Digest;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn pieces_are_all_that_counts_and_end_where_others_begin() {
        let data = |offset, length: u64| Extent::Data { offset, bytes: vec![7; length as usize].into() };
        let extents = [
            data(0, BLOCK),
            data(BLOCK, MIB - BLOCK),
            Extent::Zero { offset: MIB, length: 17 * MIB },
            data(18 * MIB, BLOCK),
            Extent::Unmapped { offset: 18 * MIB + BLOCK, length: 2 * MIB - BLOCK },
            Extent::Zero { offset: 20 * MIB, length: 2 * MIB + BLOCK },
            data(22 * MIB + BLOCK, 5),
        ];
        for (grain, expected) in [
            (
                MIB,
                &[
                    (0, BLOCK),
                    (BLOCK, MIB - BLOCK),
                    (MIB, 15 * MIB),
                    (16 * MIB, 2 * MIB),
                    (18 * MIB, BLOCK),
                    (20 * MIB, 2 * MIB + BLOCK + 5),
                ][..],
            ),
            (
                RANGE,
                &[
                    (0, BLOCK),
                    (BLOCK, 16 * MIB - BLOCK),
                    (16 * MIB, 2 * MIB + BLOCK),
                    (20 * MIB, 2 * MIB + BLOCK + 5),
                ],
            ),
        ] {
            let mut pieces = Pieces::new(grain);
            extents.iter().for_each(|extent| pieces.push(extent));
            let pieces = pieces.finish();
            let found: Vec<_> = pieces.iter().map(|piece| (piece.offset, piece.length)).collect();
            assert_eq!(found, expected, "{grain}");
            assert_eq!(pieces[0].sha256, Digest::of(vec![7; BLOCK as usize]));
            let last = [vec![0; (2 * MIB + BLOCK) as usize], vec![7; 5]].concat();
            assert_eq!(pieces[pieces.len() - 1].sha256, Digest::of(last));
        }
    }
}
