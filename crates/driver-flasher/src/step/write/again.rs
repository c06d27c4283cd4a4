//! A second writing of what read back differently.

use std::sync::Arc;

use disk_image::{Range, Summary};
use flasher_core::{Class, Error, Result};

use super::progress::Rewrite;
use super::ranges::{self, Zeros};
use super::stream::{StreamPlan, produce};
use super::transfer::transfer;
use super::written::{Put, Written};
use crate::access::{MediumAccess, WriteProgress};
use crate::job::{Count, Session, must_be_same_image};

/// Writes some ranges again: those that the decoded copy of the image has, and then the others, from the source decoded again,
/// which must still be the same image. How far it is counts as a part of *verify*.
pub(crate) async fn again(
    session: Session<'_>,
    put: &Put<'_>,
    ranges: Vec<Range>,
    count: &Arc<Count>,
    access: &mut dyn MediumAccess,
) -> Result<()> {
    let total = put.written.summary.decoded_length;
    let progress: Arc<dyn WriteProgress> = Arc::new(Rewrite { count: Arc::clone(count), total });
    let ranges = match put.opened.image.has_ranges() {
        true => copied(session, put, ranges, &progress, access).await?,
        false => ranges,
    };
    if ranges.is_empty() {
        return Ok(());
    }
    // What differs may differ because the device broke its promise.
    let all = StreamPlan::of(put.opened.image.decode(), put.target);
    let plan = StreamPlan { fill: true, only: Some(ranges), ..all };
    let made = transfer(session, |sender| produce(plan, sender), put.target, progress, access).await?;
    must_be_same(Some(&made.summary), &put.written)
}

/// Writes what the decoded copy has of some ranges; gives the others.
async fn copied(
    session: Session<'_>,
    put: &Put<'_>,
    ranges: Vec<Range>,
    progress: &Arc<dyn WriteProgress>,
    access: &mut dyn MediumAccess,
) -> Result<Vec<Range>> {
    let image = put.opened.image.clone();
    let produce = |sender| ranges::produce(image, (Vec::new(), ranges), Zeros::Written, sender);
    let left = transfer(session, produce, put.target, Arc::clone(progress), access).await?;
    if left.is_damaged {
        let label = put.opened.image.label();
        session.run.warn(format!(
            "the copy of `{label}` in the cache is damaged and was removed; what differs is decoded again"
        ));
    }
    Ok(left.ranges)
}

/// What was decoded again must be what was written.
pub(crate) fn must_be_same(now: Option<&Summary>, written: &Written) -> Result<()> {
    let now = now.ok_or_else(|| Error::new(Class::Internal, "the image ended without a summary"))?;
    must_be_same_image(written.summary.decoded_sha256, now.decoded_sha256)
}
