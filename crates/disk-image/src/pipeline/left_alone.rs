//! Stretches of an image that are not to be written, whatever it has there: they go to the digest of the whole and into the cache, and
//! nowhere else.

use std::ops::Range;

use bytes::Bytes;

use crate::pipeline::chunk::TypedChunk;
use crate::{BLOCK, RangeKind};

/// Turns what lies in such stretches into what need not be written. It takes all parts of an image in order.
pub(crate) struct LeftAlone<'s> {
    stretches: &'s [Range<u64>],
    offset: u64,
}

impl<'s> LeftAlone<'s> {
    pub(crate) fn new(stretches: &'s [Range<u64>]) -> Self {
        Self { stretches, offset: 0 }
    }

    /// The part, cut where stretches begin and end.
    pub(crate) fn cut(&mut self, part: TypedChunk) -> Vec<TypedChunk> {
        let (begin, mut rest) = (self.offset, part.bytes);
        self.offset += rest.len() as u64;
        let mut parts = Vec::new();
        let mut at = begin;
        while !rest.is_empty() {
            let (is_left, until) = self.at(at);
            let length = (until - at).min(rest.len() as u64);
            let bytes: Bytes = rest.split_to(length as usize);
            let kind = if is_left { RangeKind::Unmapped } else { part.kind };
            parts.push(TypedChunk { kind, bytes });
            at += length;
        }
        parts
    }

    /// Whether the byte at `offset` is in a stretch, and up to where that holds.
    fn at(&self, offset: u64) -> (bool, u64) {
        let inside = self.stretches.iter().find(|stretch| stretch.contains(&offset));
        let next = self.stretches.iter().map(|stretch| stretch.start).filter(|start| *start > offset).min();
        inside.map_or((false, next.unwrap_or(u64::MAX)), |stretch| (true, stretch.end))
    }
}

/// Whether a stretch can be left alone: whole blocks, and not the first one, which is written last.
pub fn can_be_left_alone(stretch: &Range<u64>) -> bool {
    let is_whole = stretch.start.is_multiple_of(BLOCK) && stretch.end.is_multiple_of(BLOCK);
    is_whole && stretch.start >= BLOCK && stretch.start < stretch.end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_in_a_stretch_is_left_alone() {
        let stretches = [2 * BLOCK..4 * BLOCK, 5 * BLOCK..6 * BLOCK];
        let mut left_alone = LeftAlone::new(&stretches);
        let blocks = |count: u64| Bytes::from(vec![1; (count * BLOCK) as usize]);
        let parts: Vec<TypedChunk> = [1, 2, 4, 1]
            .into_iter()
            .flat_map(|count| left_alone.cut(TypedChunk { kind: RangeKind::Data, bytes: blocks(count) }))
            .collect();
        let shape: Vec<(u64, bool)> = parts
            .iter()
            .map(|part| (part.bytes.len() as u64 / BLOCK, part.kind == RangeKind::Unmapped))
            .collect();
        let (left, written) = (true, false);
        assert_eq!(
            shape,
            [
                (1, written),
                (1, written),
                (1, left),
                (1, left),
                (1, written),
                (1, left),
                (1, written),
                (1, written)
            ]
        );
    }

    #[test]
    fn whole_blocks_behind_the_first_can_be_left_alone() {
        for (stretch, expected) in [
            (BLOCK..2 * BLOCK, true),
            (0..BLOCK, false),
            (BLOCK..2 * BLOCK + 512, false),
            (BLOCK + 512..2 * BLOCK, false),
            (2 * BLOCK..2 * BLOCK, false),
        ] {
            assert_eq!(can_be_left_alone(&stretch), expected, "{stretch:?}");
        }
    }
}
