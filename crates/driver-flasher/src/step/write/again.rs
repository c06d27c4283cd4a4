//! A second writing of what read back differently.

use std::sync::Arc;

use disk_image::{Range, Summary};
use flasher_core::{Class, Error, Result};

use super::progress::Rewrite;
use super::stream::StreamPlan;
use super::transfer::transfer;
use super::written::{Put, Written};
use crate::access::MediumAccess;
use crate::job::{Count, Session, must_be_same_image};

/// Writes some ranges again, from the source decoded again; it must still be the same image. How far it is counts as a part
/// of *verify*.
pub(crate) async fn again(
    session: Session<'_>,
    put: &Put<'_>,
    ranges: Vec<Range>,
    count: &Arc<Count>,
    access: &mut dyn MediumAccess,
) -> Result<()> {
    // What differs may differ because the device broke its promise.
    let all = StreamPlan::of(put.opened.image.decode(), put.target);
    let plan = StreamPlan { fill: true, only: Some(ranges), ..all };
    let progress = Rewrite { count: Arc::clone(count), total: put.written.summary.decoded_length };
    let made = transfer(session, plan, put.target, Arc::new(progress), access).await?;
    must_be_same(Some(&made.summary), &put.written)
}

/// What was decoded again must be what was written.
pub(crate) fn must_be_same(now: Option<&Summary>, written: &Written) -> Result<()> {
    let now = now.ok_or_else(|| Error::new(Class::Internal, "the image ended without a summary"))?;
    must_be_same_image(written.summary.decoded_sha256, now.decoded_sha256)
}
