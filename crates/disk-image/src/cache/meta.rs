//! What is known of a copy: its digests, what it came from, and what need not be written.

use std::io;
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::archive_map::ArchiveMap;
use crate::{BLOCK, Digest, Format, RangeKind, Summary};

/// Longest description that is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// The description of a copy. Lengths and offsets are bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub(crate) decoded_sha256: Digest,
    pub(crate) decoded_length: u64,
    pub(crate) source_sha256: Digest,
    pub(crate) source_length: u64,
    pub(crate) formats: Vec<Format>,
    pub(crate) block_map: Option<Digest>,
    /// The block map beside the image in its archive.
    pub(crate) archive_map: Option<ArchiveMap>,
    #[serde(rename = "dont_care")]
    pub(crate) unmapped: Holes,
    /// What it was called and the digests of its ranges; none in copies of former versions, and where some of it was left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) map: Option<CopyMap>,
}

/// What tells a copy apart from others without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CopyMap {
    /// Its source without secrets.
    pub(crate) label: String,
    /// All of it, in order.
    pub(crate) ranges: Vec<crate::Range>,
}

/// An image that was decoded, with what is described of it.
#[derive(Clone, Copy)]
pub(crate) struct Proven<'i> {
    /// Its source without secrets.
    pub(crate) label: &'i str,
    pub(crate) summary: &'i Summary,
    /// What was left alone of it, in order.
    pub(crate) left_alone: &'i [Range<u64>],
}

impl Meta {
    /// The description of the image that was decoded with this result. What was `left_alone` then is not left out of other flashes.
    pub(crate) fn of(
        Proven { label, summary, left_alone }: Proven<'_>,
        block_map: Option<Digest>,
        archive_map: Option<ArchiveMap>,
    ) -> Meta {
        Meta {
            decoded_sha256: summary.decoded_sha256,
            decoded_length: summary.decoded_length,
            source_sha256: summary.source_sha256,
            source_length: summary.source_length,
            formats: summary.formats.clone(),
            block_map,
            archive_map,
            unmapped: Holes::of(summary, left_alone),
            map: left_alone
                .is_empty()
                .then(|| CopyMap { label: label.to_owned(), ranges: summary.ranges.clone() }),
        }
    }

    /// Reads the one at `path`; none if it is not there, not whole, changed since it was written, or of another key.
    pub(crate) fn load(path: &Path) -> Option<Meta> {
        if path.metadata().ok()?.len() > LONGEST {
            return None;
        }
        let key = path.file_stem()?.to_str()?.parse().ok()?;
        let sealed: Sealed = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (seal(&sealed.copy, key)? == sealed.sha256).then_some(sealed.copy)
    }

    /// What is written for `key`: the description and a checksum over it.
    pub(crate) fn sealed(self, key: Digest) -> io::Result<Vec<u8>> {
        let sha256 = seal(&self, key).ok_or_else(|| io::Error::other("its description cannot be written"))?;
        serde_json::to_vec(&Sealed { sha256, copy: self }).map_err(io::Error::from)
    }
}

/// A description as it is stored. The digest is that of the key and the description.
#[derive(Serialize, Deserialize)]
struct Sealed {
    sha256: Digest,
    copy: Meta,
}

/// The checksum of `meta` when it stands for `key`.
fn seal(meta: &Meta, key: Digest) -> Option<Digest> {
    let text = serde_json::to_string(meta).ok()?;
    Some(Digest::of(format!("{key}\n{text}").as_bytes()))
}

/// What need not be written: beginnings and ends, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holes(Vec<(u64, u64)>);

impl Holes {
    fn of(summary: &Summary, left_alone: &[Range<u64>]) -> Holes {
        let unmapped = summary.ranges.iter().filter(|range| range.kind == RangeKind::Unmapped);
        let unmapped = unmapped.map(|range| range.offset..range.offset + range.length);
        let mut holes: Vec<(u64, u64)> = Vec::new();
        for Range { start, end } in unmapped.flat_map(|range| without(range, left_alone)) {
            match holes.last_mut() {
                Some((_, before)) if *before == start => *before = end,
                _ => holes.push((start, end)),
            }
        }
        Holes(holes)
    }

    /// Which of the blocks from `offset` on need not be written: a bit for each, the lowest for the first.
    pub(crate) fn unmapped(&self, offset: u64) -> u16 {
        let within = |start: u64| {
            let next = self.0.partition_point(|(_, end)| *end <= start);
            self.0.get(next).is_some_and(|(begin, end)| *begin <= start && start + BLOCK <= *end)
        };
        (0..16).filter(|index| within(offset + index * BLOCK)).fold(0, |bits, index| bits | 1 << index)
    }
}

/// What is left of `range` without these stretches, which are in order.
fn without(range: Range<u64>, stretches: &[Range<u64>]) -> Vec<Range<u64>> {
    let (mut rest, mut at) = (Vec::new(), range.start);
    for stretch in stretches.iter().filter(|it| it.start < range.end && range.start < it.end) {
        rest.push(at..stretch.start.max(at));
        at = at.max(stretch.end.min(range.end));
    }
    rest.push(at..range.end);
    rest.retain(|range| range.start < range.end);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_alone_is_no_hole() {
        for (stretches, expected) in [
            (&[][..], &[(10, 20)][..]),
            (&[(0, 5), (20, 30)], &[(10, 20)]),
            (&[(12, 14)], &[(10, 12), (14, 20)]),
            (&[(5, 12), (14, 16), (18, 30)], &[(12, 14), (16, 18)]),
            (&[(0, 30)], &[]),
        ] {
            let left: Vec<Range<u64>> = stretches.iter().map(|(start, end)| *start..*end).collect();
            let rest: Vec<(u64, u64)> = without(10..20, &left).iter().map(|it| (it.start, it.end)).collect();
            assert_eq!(rest, expected, "{stretches:?}");
        }
    }

    #[test]
    fn a_block_within_a_hole_need_not_be_written() {
        let holes = Holes(vec![(BLOCK, 3 * BLOCK), (5 * BLOCK + 1, 7 * BLOCK)]);
        assert_eq!(holes.unmapped(0), 0b0100_0110);
        assert_eq!(holes.unmapped(2 * BLOCK), 0b01_0001);
        assert_eq!(holes.unmapped(7 * BLOCK), 0);
    }
}
