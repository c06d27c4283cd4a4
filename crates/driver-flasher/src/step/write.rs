//! Step 9: everything of the image but its first block goes onto the medium; the old first block is spoiled before.

mod again;
mod capacity;
mod direct;
mod few;
mod progress;
mod ranges;
mod spoil;
mod stream;
mod transfer;
mod unfinished;
mod written;

use disk_image::{BLOCK, Digest, Extent, Range, RangeKind};
use flasher_core::Result;

use super::read_back;
use super::resolve::Resolved;
use super::target::backup;
use crate::access::{MediumAccess, Target, Wanted};
use crate::job::Session;
use crate::opened::OpenedImage;
use crate::trouble;
pub(crate) use again::{again, must_be_same};
pub(crate) use capacity::counterfeit;
pub(crate) use few::few;
use progress::FirstWrite;
use spoil::erase;
pub(crate) use spoil::spoil;
use stream::{Made, StreamPlan, produce};
use transfer::{Failed, transfer};
use written::facts;
pub(crate) use written::{Put, Written, kind};

/// Writes everything but the first block; the old one is wiped first, unless the boot loader lives in it.
pub(crate) async fn all(
    session: Session<'_>,
    resolved: &Resolved,
    opened: &mut OpenedImage,
    target: &Target,
    access: &mut dyn MediumAccess,
) -> Result<Written> {
    let wipe = !resolved.medium_holds_bootloader(session);
    backup::wipe(session, target, access).await?;
    let (made, kept) = match session.job.direct {
        true => (direct::all(session, &opened.image, target, wipe, access).await?, None),
        false => decoded_here(session, opened, target, wipe, access).await?,
    };
    session.run.on_medium.reached(made.summary.decoded_length);
    session.run.decoded(session.job, &made.summary)?;
    session.run.record.medium(|medium| {
        medium.data_written = made.data;
        medium.zeros_written = made.zeros;
        medium.ranges = made.summary.ranges.iter().map(facts).collect();
    });
    let spoils = wipe && kept.is_none();
    Ok(Written { summary: made.summary, first: made.first, kept, spoils })
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
        capacity::check(session, &opened.image, target, first, access).await?;
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

/// What is in the first block, when the image does not care about it: nothing may change it.
async fn kept_block(
    session: Session<'_>,
    target: &Target,
    head: Option<&Extent>,
    access: &mut dyn MediumAccess,
) -> Result<Option<Range>> {
    let Some(Extent::Unmapped { offset: 0, length }) = head else { return Ok(None) };
    let kind = RangeKind::Unmapped;
    let range = Range { offset: 0, length: BLOCK.min(*length), sha256: Digest::of(b""), kind };
    let wanted = Wanted::quietly(std::slice::from_ref(&range), &[0]);
    let read = read_back::digests(session, target, wanted, access).await?;
    session.run.note("the image leaves the first block alone, so it stays as it is from the beginning on");
    Ok(read.get(&0).map(|sha256| Range { sha256: *sha256, ..range }))
}
