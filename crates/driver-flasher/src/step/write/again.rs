//! A second writing of what read back differently.

use disk_image::{Image, Range, Summary};
use flasher_core::{Class, Error, Result};

use super::{Plan, Written, plan, send};
use crate::step::image;
use crate::step::shell::Guest;
use crate::step::target::Target;
use crate::transaction::Session;

/// Writes some ranges again, from the source decoded again; it must still be the same image.
pub(crate) async fn again(
    session: Session<'_>,
    image: &Image,
    target: &Target,
    written: &Written,
    ranges: Vec<Range>,
    guest: &mut Guest,
) -> Result<()> {
    // What differs may differ because the device broke its promise.
    let all = plan(image.decode(), image.decoded_length(), target, false);
    let plan = Plan { fill: true, only: Some(ranges), ..all };
    let made = send(session, plan, target, guest).await?;
    must_be_same(Some(&made.summary), written)
}

/// What was decoded again must be what was written.
pub(crate) fn must_be_same(now: Option<&Summary>, written: &Written) -> Result<()> {
    let now = now.ok_or_else(|| Error::new(Class::Internal, "the image ended without a summary"))?;
    image::must_be_same(written.summary.decoded_sha256, now.decoded_sha256)
}
