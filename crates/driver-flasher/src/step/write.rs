//! Step 10: everything of the image but its first block goes onto the medium; the old first block is spoiled before.

mod again;
mod capacity;
mod differing;
mod direct;
mod few;
mod kept;
mod progress;
mod ranges;
mod spoil;
mod stream;
mod transfer;
mod unfinished;
mod written;

use disk_image::{BLOCK, Extent, Range};
use flasher_core::Result;

use super::compare::Comparison;
use super::resolve::Resolved;
use super::target::backup;
use crate::access::{MediumAccess, Target};
use crate::job::Session;
use crate::opened::OpenedImage;
use crate::trouble;
pub(crate) use again::{again, must_be_same};
pub(crate) use capacity::counterfeit;
pub(crate) use few::few;
use kept::kept_block;
use progress::FirstWrite;
use spoil::erase;
pub(crate) use spoil::spoil;
use stream::{Made, StreamPlan, produce};
use transfer::{Failed, transfer};
use written::facts;
pub(crate) use written::{Put, Written, kind};

/// Writes everything but the first block, or what the medium does not hold of it; the old first block is wiped first, unless the boot loader lives in it.
pub(crate) async fn all(
    session: Session<'_>,
    resolved: &Resolved,
    opened: &mut OpenedImage,
    (target, held): (&Target, Option<Comparison>),
    access: &mut dyn MediumAccess,
) -> Result<Written> {
    let wipe = !resolved.medium_holds_bootloader(session);
    backup::wipe(session, target, access).await?;
    let is_unchanged = held.as_ref().is_some_and(|held| held.differing.is_empty());
    let (made, kept) = match (session.job.direct, &held) {
        (true, _) => (direct::all(session, &opened.image, target, wipe, access).await?, None),
        (false, Some(held)) => differing::write(session, opened, target, (held, wipe), access).await?,
        (false, None) => decoded_here(session, opened, target, wipe, access).await?,
    };
    session.run.on_medium.reached(made.summary.decoded_length);
    session.run.decoded(session.job, &made.summary)?;
    session.run.record.medium(|medium| {
        medium.data_written = made.data;
        medium.zeros_written = made.zeros;
        medium.ranges = made.summary.ranges.iter().map(facts).collect();
    });
    if let Some(held) = &held {
        differing::note(session, held);
    }
    let spoils = wipe && kept.is_none();
    let first = if is_unchanged || kept.is_some() { 0 } else { made.first.len() as u64 };
    session.run.record.medium(|medium| {
        let written = medium.data_written + medium.zeros_written + first;
        medium.compare.iter_mut().for_each(|facts| facts.written = written);
    });
    Ok(Written { summary: made.summary, first: made.first, kept, spoils, is_unchanged })
}

/// The exporter decodes, and the board gets orders what to write. Gives what was left alone of the first block, too.
async fn decoded_here(
    session: Session<'_>,
    opened: &mut OpenedImage,
    target: &Target,
    wipe: bool,
    access: &mut dyn MediumAccess,
) -> Result<(Made, Option<Range>)> {
    let total = opened.image.decoded_length();
    let wire = access.choose_wire(total).await?;
    session.run.record.medium(|medium| medium.wire = Some(wire));
    let mut decoding = opened.decoding();
    // Found while the board booted: then the old system can stay.
    if let Some(error) = decoding.failure() {
        return Err(trouble::image(error));
    }
    let head = decoding.next().await.map_err(trouble::image)?;
    let kept = kept_block(session, target, head.as_ref(), access).await?;
    if wipe && kept.is_none() {
        let first = head.as_ref().map_or(0, Extent::length).min(BLOCK);
        capacity::check(session, (&opened.image, None), target, first, access).await?;
    }
    let plan = StreamPlan { head, wipe, ..StreamPlan::of(decoding, target) };
    let (erased, progress) = (plan.erased(), FirstWrite::new(session, total));
    match transfer(session, |sender| produce(plan, sender), target, progress, access).await {
        Ok(made) => Ok((made, kept)),
        Err(Failed::Board(error)) => Err(error),
        Err(Failed::Image(error)) => {
            erase(session, erased, target, access).await;
            Err(error)
        }
    }
}
