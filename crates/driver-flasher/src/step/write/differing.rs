//! What the medium does not hold of an image, and nothing else of it.

use disk_image::{BLOCK, Extent, Range, RangeKind};
use flasher_core::Result;

use super::capacity;
use super::kept::kept_block;
use super::progress::FirstWrite;
use super::ranges::{self, Left, Zeros};
use super::spoil::{erase, zeros_first};
use super::stream::{Made, StreamPlan, produce};
use super::transfer::{Failed, transfer};
use crate::access::{MediumAccess, Target};
use crate::job::{Session, must_be_same_image};
use crate::opened::OpenedImage;
use crate::step::compare::Comparison;

/// Writes what differs, but for the first block; gives what was left alone of the first block, too. Where nothing differs nothing is
/// written.
pub(super) async fn write(
    session: Session<'_>,
    opened: &OpenedImage,
    target: &Target,
    (held, wipe): (&Comparison, bool),
    access: &mut dyn MediumAccess,
) -> Result<(Made, Option<Range>)> {
    let summary = held.surveyed.summary.clone();
    let first = held.surveyed.first.clone();
    let head = summary.ranges.first().filter(|range| range.kind == RangeKind::Unmapped);
    let head = head.map(|range| Extent::Unmapped { offset: 0, length: range.length });
    let kept = kept_block(session, target, head.as_ref(), access).await?;
    let (mut data, mut zeros) = (0, 0);
    if !held.differing.is_empty() {
        let length: u64 = held.differing.iter().map(|piece| piece.length).sum();
        let wire = access.choose_wire(Some(length)).await?;
        session.run.record.medium(|medium| medium.wire = Some(wire));
        let erased = if wipe && kept.is_none() { first.len() as u64 } else { 0 };
        if erased > 0 {
            let places = Some(held.differing.as_slice());
            capacity::check(session, (&opened.image, places), target, erased, access).await?;
        }
        (data, zeros) = pieces(session, opened, target, (held, erased), access).await?;
    }
    Ok((Made { summary, first, data, zeros }, kept))
}

/// Writes pieces; gives how many bytes of data and of zeros they were.
async fn pieces(
    session: Session<'_>,
    opened: &OpenedImage,
    target: &Target,
    (held, erased): (&Comparison, u64),
    access: &mut dyn MediumAccess,
) -> Result<(u64, u64)> {
    let rest = held.differing.iter().filter(|piece| piece.offset > 0).cloned().collect();
    let copied = opened.image.has_ranges();
    let progress = FirstWrite::new(session, Some(held.surveyed.summary.decoded_length));
    let left = if copied {
        let begin = if erased > 0 { zeros_first(erased) } else { Vec::new() };
        let image = opened.image.clone();
        let produce = |sender| ranges::produce(image, (begin, rest), Zeros::Cheapest, sender);
        let left = transfer(session, produce, target, progress.clone(), access).await;
        carried(session, left, (target, erased), access).await?
    } else {
        Left { ranges: rest, ..Left::default() }
    };
    let (mut data, mut zeros) = (left.data, left.zeros);
    if !left.ranges.is_empty() {
        let wipe = erased > 0 && !copied;
        let all = StreamPlan::of(opened.image.decode(), target);
        let plan = StreamPlan { wipe, only: Some(left.ranges), ..all };
        let made = transfer(session, |sender| produce(plan, sender), target, progress, access).await;
        let made = carried(session, made, (target, erased), access).await?;
        must_be_same_image(held.surveyed.summary.decoded_sha256, made.summary.decoded_sha256)?;
        (data, zeros) = (data + made.data, zeros + made.zeros);
    }
    Ok((data, zeros))
}

/// What was made. After a failure of the image the first block is zeros for certain.
async fn carried<T>(
    session: Session<'_>,
    made: Result<T, Failed>,
    (target, erased): (&Target, u64),
    access: &mut dyn MediumAccess,
) -> Result<T> {
    if let Err(Failed::Image(_)) = &made {
        erase(session, erased, target, access).await;
    }
    Ok(made?)
}

/// Notes what is known of each range: whether it was there already, and that what is there was read when it was compared.
pub(super) fn note(session: Session<'_>, held: &Comparison) {
    let ranges = &held.surveyed.summary.ranges;
    let is_unchanged = held.differing.is_empty();
    let counts = |range: &Range| range.kind != RangeKind::Unmapped;
    // The first block goes away before anything else is written.
    let is_held =
        |range: &Range| counts(range) && !held.differs_in(range) && (is_unchanged || range.offset >= BLOCK);
    session.run.record.medium(|medium| {
        for (facts, range) in medium.ranges.iter_mut().zip(ranges) {
            facts.held = is_held(range);
            facts.writes = if facts.held { 0 } else { facts.writes };
        }
    });
    // All of its pieces are equal, so a range has the digest of the image.
    let read = ranges.iter().enumerate().filter(|(_, range)| is_held(range));
    let read: Vec<_> = read.map(|(index, range)| (index, range.sha256)).collect();
    session.run.record.read_back(held.writes, read.iter().map(|(index, sha256)| (index, sha256)));
}
