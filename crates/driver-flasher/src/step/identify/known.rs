//! Known images beside a medium: which ranges are read, and which image they speak for.

use std::collections::BTreeMap;

use disk_image::{Digest, Image, Range, RangeKind, Summary};
use flasher_core::identify::{KnownImage, KnownRange};
use flasher_core::{Result, Step, flash};

use crate::access::{MediumAccess, Target, Wanted};
use crate::job::{Count, Session};
use crate::step::read_back;
use crate::step::write;

/// Ranges with data of each image that are read first.
const PROBES: usize = 4;

/// An image that the medium has room for.
pub(super) struct Candidate<'k> {
    pub(super) image: &'k KnownImage,
    ranges: Vec<Range>,
}

impl Candidate<'_> {
    /// The ranges that matter.
    pub(super) fn counted(&self) -> impl Iterator<Item = &Range> {
        self.ranges.iter().filter(|range| range.kind != RangeKind::Unmapped)
    }

    fn data(&self) -> impl Iterator<Item = &Range> {
        self.ranges.iter().filter(|range| range.kind == RangeKind::Data)
    }

    /// Bytes of data that the medium holds, and bytes that matter and that it does not hold.
    fn score(&self, readings: &Readings<'_>) -> (u64, std::cmp::Reverse<u64>) {
        let equal = self.data().filter(|range| readings.is_equal(range)).map(|range| range.length).sum();
        let missing =
            self.counted().filter(|range| !readings.is_equal(range)).map(|range| range.length).sum();
        (equal, std::cmp::Reverse(missing))
    }
}

/// An image that was decoded to its end.
pub(super) fn of_summary(name: &str, summary: &Summary) -> KnownImage {
    let range = |range: &Range| KnownRange {
        offset: range.offset,
        length: range.length,
        kind: write::kind(range),
        sha256: range.sha256.to_string(),
    };
    KnownImage {
        name: name.to_owned(),
        sha256: summary.decoded_sha256.to_string(),
        length: summary.decoded_length,
        ranges: summary.ranges.iter().map(range).collect(),
    }
}

/// Those of `known` that fit onto a medium of `size` bytes and have data.
pub(super) fn candidates(known: &[KnownImage], size: u64) -> Vec<Candidate<'_>> {
    let candidate = |image| Some(Candidate { image, ranges: ranges(image)? });
    let fits = |candidate: &Candidate<'_>| {
        let end = candidate.ranges.last().and_then(|range| range.offset.checked_add(range.length));
        end.is_some_and(|end| end <= size) && candidate.data().next().is_some()
    };
    known.iter().filter_map(candidate).filter(fits).collect()
}

/// The ranges of an image; none when they are not in order or a digest is none.
fn ranges(image: &KnownImage) -> Option<Vec<Range>> {
    let mut end = 0_u64;
    let mut ranges = Vec::new();
    for range in &image.ranges {
        if range.offset < end || range.length == 0 || range.length > disk_image::RANGE {
            return None;
        }
        end = range.offset.checked_add(range.length)?;
        let (offset, length, sha256) = (range.offset, range.length, range.sha256.parse().ok()?);
        ranges.push(Range { offset, length, sha256, kind: kind(range.kind) });
    }
    Some(ranges)
}

fn kind(kind: flash::RangeKind) -> RangeKind {
    match kind {
        flash::RangeKind::Data => RangeKind::Data,
        flash::RangeKind::Zero => RangeKind::Zero,
        flash::RangeKind::Unmapped => RangeKind::Unmapped,
    }
}

/// A few ranges with data of each image, spread over it.
pub(super) fn probes<'c>(candidates: &'c [Candidate<'_>]) -> impl Iterator<Item = &'c Range> {
    candidates.iter().flat_map(|candidate| {
        let count = candidate.data().count();
        candidate.data().step_by(count.div_ceil(PROBES).max(1))
    })
}

/// Leaves those of which the medium holds a probe; all, when it holds none of any.
pub(super) fn keep_likely(candidates: &mut Vec<Candidate<'_>>, readings: &Readings<'_>) {
    let is_likely = |candidate: &Candidate<'_>| candidate.data().any(|range| readings.is_equal(range));
    if candidates.iter().any(is_likely) {
        candidates.retain(is_likely);
    }
}

/// The image of which the medium holds most data; of several the one of which least is missing, then the first.
pub(super) fn best<'c, 'k>(
    candidates: &'c [Candidate<'k>],
    readings: &Readings<'_>,
) -> Option<&'c Candidate<'k>> {
    let scored = candidates.iter().rev().map(|candidate| (candidate.score(readings), candidate));
    let held = scored.filter(|((equal, _), _)| *equal > 0);
    held.max_by_key(|(score, _)| *score).map(|(_, candidate)| candidate)
}

/// What was read of the medium: each place once, however many images have a range there.
pub(super) struct Readings<'a> {
    session: Session<'a>,
    target: &'a Target,
    image: Option<&'a Image>,
    /// Digest of a place by its offset and length. A place that was compared and differs has none.
    places: BTreeMap<(u64, u64), Option<Digest>>,
}

impl<'a> Readings<'a> {
    /// Nothing is read yet. `image` is what the ranges are of, where what is read may be compared with it.
    pub(super) fn new(session: Session<'a>, target: &'a Target, image: Option<&'a Image>) -> Self {
        Self { session, target, image, places: BTreeMap::new() }
    }

    /// Reads the places of these ranges that were not read yet.
    pub(super) async fn read<'r>(
        &mut self,
        ranges: impl Iterator<Item = &'r Range>,
        access: &mut dyn MediumAccess,
    ) -> Result<()> {
        let new = |range: &&Range| !self.places.contains_key(&(range.offset, range.length));
        let places: BTreeMap<(u64, u64), &Range> =
            ranges.filter(new).map(|range| ((range.offset, range.length), range)).collect();
        let ranges: Vec<Range> = places.into_values().cloned().collect();
        let indices: Vec<usize> = (0..ranges.len()).collect();
        if ranges.is_empty() {
            return Ok(());
        }
        let length = ranges.iter().map(|range| range.length).sum();
        let count = Count::new(self.session.run.progress(), Step::Read, length);
        let wanted = Wanted { ranges: &ranges, indices: &indices, image: self.image, count: Some(&count) };
        let digests = read_back::digests(self.session, self.target, wanted, access).await?;
        for (index, range) in ranges.iter().enumerate() {
            self.places.insert((range.offset, range.length), digests.get(&index).copied());
        }
        Ok(())
    }

    /// Whether the medium holds a range, as far as it was read.
    pub(super) fn is_equal(&self, range: &Range) -> bool {
        self.places.get(&(range.offset, range.length)) == Some(&Some(range.sha256))
    }

    /// Bytes that were read.
    pub(super) fn length(&self) -> u64 {
        self.places.keys().map(|(_, length)| length).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, ranges: &[(u64, u64, flash::RangeKind)]) -> KnownImage {
        let range = |&(offset, length, kind): &(u64, u64, _)| KnownRange {
            offset,
            length,
            kind,
            sha256: Digest::of(name.as_bytes()).to_string(),
        };
        let length = ranges.last().map_or(0, |(offset, length, _)| offset.saturating_add(*length));
        KnownImage {
            name: name.to_owned(),
            sha256: String::new(),
            length,
            ranges: ranges.iter().map(range).collect(),
        }
    }

    #[test]
    fn images_that_cannot_be_on_a_medium() {
        use flash::RangeKind::{Data, Unmapped, Zero};
        let mut no_digest = known("digest", &[(0, 10, Data)]);
        no_digest.ranges[0].sha256 = "x".to_owned();
        let images = [
            known("fits", &[(0, 10, Data), (10, 90, Zero)]),
            known("large", &[(0, 10, Data), (10, 91, Zero)]),
            known("zeros", &[(0, 10, Zero)]),
            known("unmapped", &[(0, 10, Unmapped)]),
            known("disorder", &[(0, 10, Data), (5, 10, Data)]),
            known("endless", &[(0, 10, Data), (u64::MAX, 10, Data)]),
            known("huge", &[(0, disk_image::RANGE + 1, Data)]),
            no_digest,
        ];
        let names: Vec<&str> = candidates(&images, 100).iter().map(|it| it.image.name.as_str()).collect();
        assert_eq!(names, ["fits"]);
    }

    #[test]
    fn probes_are_spread_over_the_data() {
        let ranges: Vec<_> = (0..40).map(|index| (index * 10, 10, flash::RangeKind::Data)).collect();
        let images = [known("a", &ranges), known("b", &ranges[..2])];
        let candidates = candidates(&images, 1000);
        let offsets: Vec<u64> = probes(&candidates).map(|range| range.offset).collect();
        assert_eq!(offsets, [0, 100, 200, 300, 0, 10]);
    }
}
