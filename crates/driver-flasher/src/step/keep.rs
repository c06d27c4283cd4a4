//! Partitions that stay as they are (`--keep`): the image and the medium must have them at the same place, nothing is written there, and
//! they are read before the first write and after the last.

mod refusal;

use disk_image::{Digest, Image, Partition, Range, RangeKind};
use flasher_core::flash::{KEPT_STRETCH, KeptPartition};
use flasher_core::{Class, Error, FlashJob, Result, Step};

use super::read_back;
use crate::access::{MediumAccess, Stretch, Target, Wanted};
use crate::job::{Count, Session};
use crate::opened::OpenedImage;
use crate::trouble;

/// Refuses a job that can keep none.
pub(super) fn check_job(job: &FlashJob) -> Result<()> {
    let asks = !job.keep.is_empty();
    if asks && (job.partition.is_some() || !job.also.is_empty()) {
        return Err(refusal::of_partitions());
    }
    if asks && job.direct {
        return Err(refusal::of_direct());
    }
    match job.keep.iter().any(String::is_empty) {
        true => Err(refusal::without_label()),
        false => Ok(()),
    }
}

/// Finds the partitions in the image, and has every decoding leave them out.
pub(super) async fn of_image(session: Session<'_>, image: &Image) -> Result<Vec<Partition>> {
    if session.job.keep.is_empty() {
        return Ok(Vec::new());
    }
    let head = image.head().await.map_err(trouble::image)?;
    let listed = disk_image::partitions(&head);
    let found = |label: &String| one(&listed, label, "the image");
    let mut kept: Vec<Partition> = session.job.keep.iter().map(found).collect::<Result<_>>()?;
    kept.sort_unstable_by_key(|part| part.offset);
    kept.dedup();
    for part in &kept {
        let others = listed.iter().filter(|other| *other != part);
        let shared = others.into_iter().any(|other| other.offset < end(part) && part.offset < end(other));
        if shared || !disk_image::can_be_left_alone(&(part.offset..end(part))) {
            return Err(refusal::not_apart(part));
        }
    }
    image.leave_alone(kept.iter().map(|part| part.offset..end(part)).collect());
    Ok(kept)
}

/// Whether the medium has the partitions where the image has them, and what is in them. An attempt after the first looks whether that
/// is so still.
pub(super) async fn look(
    session: Session<'_>,
    opened: &OpenedImage,
    target: &Target,
    access: &mut dyn MediumAccess,
) -> Result<()> {
    if opened.keep.is_empty() {
        return Ok(());
    }
    let known = session.run.record.kept();
    if known.is_empty() {
        let listed = on_medium(session, target, access).await?;
        opened.keep.iter().try_for_each(|part| must_be_same(part, &listed, target))?;
    }
    let length = opened.keep.iter().map(|part| part.length).sum();
    let count = Count::new(session.run.progress(), Step::Target, length);
    let mut kept = Vec::new();
    for part in &opened.keep {
        let before = digests(session, (part.offset, part.length), target, &count, access).await?;
        let (label, offset, length) = (part.label.clone().unwrap_or_default(), part.offset, part.length);
        kept.push(KeptPartition { label, offset, length, before, after: Vec::new() });
    }
    if let Some(changed) = known.iter().zip(&kept).find(|(was, is)| was.before != is.before) {
        return Err(refusal::changed(changed.0, target));
    }
    session.run.record.set_kept(kept.clone());
    session.run.record.medium(|medium| medium.kept = kept);
    Ok(())
}

/// Reads the partitions again, after the last write.
pub(super) async fn must_be_unchanged(
    session: Session<'_>,
    target: &Target,
    count: &std::sync::Arc<Count>,
    access: &mut dyn MediumAccess,
) -> Result<()> {
    for (index, part) in session.run.record.kept().iter().enumerate() {
        let after = digests(session, (part.offset, part.length), target, count, access).await?;
        let is_same = after == part.before;
        note(session, index, after);
        if !is_same {
            return Err(refusal::changed(part, target));
        }
    }
    Ok(())
}

/// Notes that nothing was written since the partitions were read.
pub(super) fn nothing_was_written(session: Session<'_>) {
    for (index, part) in session.run.record.kept().into_iter().enumerate() {
        note(session, index, part.before);
    }
}

/// Bytes of the partitions that stay.
pub(super) fn length(session: Session<'_>) -> u64 {
    session.run.record.kept().iter().map(|part| part.length).sum()
}

fn note(session: Session<'_>, index: usize, after: Vec<String>) {
    session.run.record.medium(|medium| {
        if let Some(kept) = medium.kept.get_mut(index) {
            kept.after = after;
        }
    });
}

fn end(part: &Partition) -> u64 {
    part.offset.saturating_add(part.length)
}

/// The only partition with this label; `place` is whose table it is.
fn one(listed: &[Partition], label: &str, place: &str) -> Result<Partition> {
    let mut found = listed.iter().filter(|part| part.label.as_deref() == Some(label));
    match (found.next(), found.next()) {
        (Some(part), None) => Ok(part.clone()),
        (None, _) => Err(refusal::absent(label, place, listed)),
        (Some(_), Some(_)) => Err(refusal::twice(label, place)),
    }
}

/// The partitions of the medium, by its table or, where that is gone, by the copy at its end.
async fn on_medium(
    session: Session<'_>,
    target: &Target,
    access: &mut dyn MediumAccess,
) -> Result<Vec<Partition>> {
    if !access.abilities().sends {
        return Err(refusal::cannot_send());
    }
    let length = (disk_image::LOOK as u64).min(target.size);
    let copy = disk_image::COPY_LOOK.min(target.size);
    let stretches = [Stretch { offset: 0, length }, Stretch { offset: target.size - copy, length: copy }];
    let read = read_back::stretches(session, target, &stretches, access).await?;
    let [head, tail] = read.as_slice() else { return Ok(Vec::new()) };
    let listed = disk_image::partitions(head);
    Ok(if listed.is_empty() { disk_image::partitions_of_copy(tail, target.size) } else { listed })
}

fn must_be_same(part: &Partition, listed: &[Partition], target: &Target) -> Result<()> {
    let label = part.label.as_deref().unwrap_or_default();
    let there = one(listed, label, &format!("`{}`", target.device))?;
    match (there.offset, there.length) == (part.offset, part.length) && end(part) <= target.size {
        true => Ok(()),
        false => Err(refusal::moved(label, part, &there, target)),
    }
}

/// SHA-256 of the stretches of a partition as the medium holds them.
async fn digests(
    session: Session<'_>,
    (offset, length): (u64, u64),
    target: &Target,
    count: &std::sync::Arc<Count>,
    access: &mut dyn MediumAccess,
) -> Result<Vec<String>> {
    let stretch = |at: u64| Range {
        offset: offset + at,
        length: KEPT_STRETCH.min(length - at),
        sha256: Digest::of(b""),
        kind: RangeKind::Unmapped,
    };
    let ranges: Vec<Range> = (0..length).step_by(KEPT_STRETCH as usize).map(stretch).collect();
    let indices: Vec<usize> = (0..ranges.len()).collect();
    let wanted = Wanted { ranges: &ranges, indices: &indices, image: None, count: Some(count) };
    let read = read_back::digests(session, target, wanted, access).await?;
    let digest = |index: &usize| read.get(index).map(Digest::to_string);
    let all: Option<Vec<String>> = indices.iter().map(digest).collect();
    all.ok_or_else(|| Error::new(Class::Internal, "a partition that stays was not read to its end"))
}
