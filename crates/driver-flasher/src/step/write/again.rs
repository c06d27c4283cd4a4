//! A second writing of what read back differently.

use std::sync::Arc;

use disk_image::{Range, Summary};
use flasher_core::{Class, Error, Result};

use super::{Plan, Told, Written, plan, send};
use crate::job::Session;
use crate::step::image;
use crate::step::read_back::Count;
use crate::step::shell::Guest;
use crate::step::verify::Put;

/// Writes some ranges again, from the source decoded again; it must still be the same image. How far it is counts as a part
/// of *verify*.
pub(crate) async fn again(
    session: Session<'_>,
    put: &Put<'_>,
    ranges: Vec<Range>,
    count: &Arc<Count>,
    guest: &mut Guest,
) -> Result<()> {
    // What differs may differ because the device broke its promise.
    let image = &put.piece.image;
    let all = plan(image.decode(), Some(put.written.summary.decoded_length), put.target, false);
    let plan = Plan { fill: true, only: Some(ranges), told: Told::Again(Arc::clone(count)), ..all };
    let made = send(session, plan, put.target, guest).await?;
    must_be_same(Some(&made.summary), &put.written)
}

/// What was decoded again must be what was written.
pub(crate) fn must_be_same(now: Option<&Summary>, written: &Written) -> Result<()> {
    let now = now.ok_or_else(|| Error::new(Class::Internal, "the image ended without a summary"))?;
    image::must_be_same(written.summary.decoded_sha256, now.decoded_sha256)
}
