//! A cheap look at whether the medium holds what it tells, before the bulk of the image is written.
//!
//! It names a counterfeit card early. It proves nothing: a medium may lie in ways that are not looked for here, and *verify*,
//! which reads everything after the last write, is what a false success cannot pass.

use std::collections::BTreeMap;

use bytes::Bytes;
use disk_image::{BLOCK, Digest, Extent, Format, Image, Range, RangeKind};
use flasher_core::flash::{HoldsLess, MediumState};
use flasher_core::{Class, Error, Result, RootCause};

use super::few::few;
use super::spoil::zeros_first;
use crate::access::{Instruction, MediumAccess, ReadEvidence, Target, Wanted};
use crate::job::Session;

/// Length of a mark, bytes: a page, which every device takes around the page cache.
const MARK: u64 = 4096;
/// Nothing smaller than this is looked at, bytes.
const SMALLEST: u64 = 4 << 20;
/// Distances from the first block at which its mark is looked for, at most.
const DISTANCES: usize = 16;
/// So many parts of the image have a mark at their end.
const PARTS: u64 = 4;

/// Fails when the medium does not hold as much as the image needs. The first block, `first` bytes of it, is durable zeros before any
/// mark is written.
///
/// Marks, random and each another, are written where the image will be written anyway, and not where a partition stays: in the first block and in the ranges of `only`,
/// where nothing else is written; those of the image's inside only where all of it
/// is known to count. What shows a mark that was written elsewhere has two addresses; marks at the end that are gone were dropped.
pub(super) async fn check(
    session: Session<'_>,
    (image, only): (&Image, Option<&[Range]>),
    target: &Target,
    first: u64,
    access: &mut dyn MediumAccess,
) -> Result<()> {
    let length = image.decoded_length();
    if !access.abilities().small_reads || target.size < SMALLEST || length.is_some_and(|length| length < MARK)
    {
        return Ok(());
    }
    let all_counts = image.format() == Format::Raw && image.block_map().is_none();
    let kept = session.run.record.kept();
    let stays = |place: u64| kept.iter().any(|part| part.touches(place, MARK));
    let marked = marked(length.filter(|_| all_counts)).into_iter();
    let marked = marked.filter(|place| is_written(*place, only) && !stays(*place));
    let marks: BTreeMap<u64, Bytes> = marked.map(|place| (place, mark(session, place))).collect();
    let instructions = zeros_first(first).into_iter().chain(writing(&marks)).collect();
    session.run.on_medium.leaves(MediumState::FirstBlockErased);
    if let Err(error) = few(session, target, instructions, access).await {
        if error.class() == Class::Medium {
            few(session, target, zeros_first(first), access).await?;
        }
        return Err(error);
    }
    let Some(read) = read(target, &marks, access).await? else { return Ok(()) };
    let written = marks.iter().map(|(place, mark)| (*place, Digest::of(mark))).collect();
    let held = held(&written, &read);
    if let Some(bytes) = held {
        let holds_less = HoldsLess { bytes: Some(bytes) };
        session.run.record.medium(|medium| medium.holds_less = Some(holds_less));
    }
    match held {
        Some(held) if length.is_some_and(|length| length > held) => {
            few(session, target, zeros_first(first), access).await?;
            Err(counterfeit(target, held))
        }
        Some(held) => {
            session.run.warn(format!("{}; the image is compared in full", lie(target, held)));
            Ok(())
        }
        None => Ok(()),
    }
}

/// Whether the mark at this place will be written over.
fn is_written(place: u64, only: Option<&[Range]>) -> bool {
    let holds = |range: &Range| range.offset <= place && place + MARK <= range.offset + range.length;
    place == 0 || only.is_none_or(|ranges| ranges.iter().any(holds))
}

/// Where marks are written: at the beginning, and inside an image of which everything counts.
fn marked(length: Option<u64>) -> Vec<u64> {
    let end = length.unwrap_or(0) / MARK * MARK;
    let powers = (20..63).map(|power| 1 << power);
    let parts = (1..=PARTS).map(|part| (end / PARTS * part / MARK * MARK).saturating_sub(MARK));
    let mut places: Vec<u64> =
        powers.chain(parts).filter(|place| *place >= BLOCK && place + MARK <= end).collect();
    places.push(0);
    places.sort_unstable();
    places.dedup();
    places
}

/// Where the mark of the first block is looked for beside the places of marks: at powers of two and halfway between.
fn distances(size: u64) -> Vec<u64> {
    let powers = (1..62).rev().map(|power| 1_u64 << power);
    let all = powers.flat_map(|power| [power + power / 2, power]);
    all.filter(|place| *place >= SMALLEST && place + MARK <= size).take(DISTANCES).collect()
}

/// Bytes that were never on any medium before.
fn mark(session: Session<'_>, place: u64) -> Bytes {
    let (token, nonce) = (&session.run.token, session.run.writes.so_far());
    let part = |part: u64| *Digest::of(format!("{token} {nonce} {place} {part}").as_bytes()).as_bytes();
    (0..MARK / 32).flat_map(part).collect::<Vec<u8>>().into()
}

/// Writes the marks, the first block's first, then from the end to the beginning: what shows another one's mark shows that of the
/// nearest place.
fn writing(marks: &BTreeMap<u64, Bytes>) -> Vec<Instruction> {
    let (first, others): (Vec<_>, Vec<_>) = marks.iter().rev().partition(|(place, _)| **place == 0);
    let write = |(offset, bytes): (&u64, &Bytes)| {
        Instruction::Write(Extent::Data { offset: *offset, bytes: bytes.clone() })
    };
    first.into_iter().chain(others).map(write).chain([Instruction::Flush]).collect()
}

/// What is read at the places of the marks and at all distances. Nothing when something cannot be read: that shows in *verify*.
async fn read(
    target: &Target,
    marks: &BTreeMap<u64, Bytes>,
    access: &mut dyn MediumAccess,
) -> Result<Option<BTreeMap<u64, Digest>>> {
    let mut places: Vec<u64> = marks.keys().copied().chain(distances(target.size)).collect();
    places.sort_unstable();
    places.dedup();
    let range = |offset: &u64| Range {
        offset: *offset,
        length: MARK,
        sha256: Digest::of(b""),
        kind: RangeKind::Data,
    };
    let ranges: Vec<Range> = places.iter().map(range).collect();
    let indices: Vec<usize> = (0..ranges.len()).collect();
    // The receipt tells of the proof, which is read in its own way.
    let mut evidence = ReadEvidence::default();
    match access.digests(target, Wanted::quietly(&ranges, &indices), &mut evidence).await {
        Err(error) if error.class() == Class::Medium => Ok(None),
        Err(error) => Err(error),
        Ok(read) => Ok(Some(read.into_iter().map(|(index, digest)| (places[index], digest)).collect())),
    }
}

/// How much the medium holds, bytes, when that is less than it tells: the shortest distance between two addresses of one place, or
/// where the marks that are gone begin.
fn held(marks: &BTreeMap<u64, Digest>, read: &BTreeMap<u64, Digest>) -> Option<u64> {
    let found = |digest: &Digest| marks.iter().find(|(_, mark)| *mark == digest).map(|(place, _)| *place);
    let twice = read.iter().filter_map(|(place, digest)| found(digest).map(|of| place.abs_diff(of)));
    if let Some(distance) = twice.filter(|distance| *distance > 0).min() {
        return Some(distance);
    }
    let is_gone = |place: &&u64| read.get(place) != marks.get(place);
    let gone: Vec<u64> = marks.keys().rev().take_while(is_gone).copied().collect();
    // One mark alone may be a bad block, and all of them a broken medium: *verify* tells.
    gone.last().copied().filter(|_| gone.len() > 1 && gone.len() < marks.len())
}

fn lie(target: &Target, held: u64) -> String {
    let (device, tells) = (&target.device, target.size >> 20);
    let holds = if held < 1 << 20 { format!("{} KiB", held >> 10) } else { format!("{} MiB", held >> 20) };
    format!("`{device}` tells {tells} MiB and seems to hold {holds}: it is counterfeit or broken")
}

/// The failure of a medium that holds less than it tells.
pub(crate) fn counterfeit(target: &Target, held: u64) -> Error {
    Error::new(Class::Medium, lie(target, held))
        .with("device", target.device.clone())
        .help("replace the medium; the image needs more than it holds")
        .caused_by(RootCause::Counterfeit)
        .retryable(false)
}

#[cfg(test)]
mod tests;
