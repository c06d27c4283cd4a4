//! A first block that the image leaves alone.

use disk_image::{BLOCK, Digest, Extent, Range, RangeKind};
use flasher_core::Result;

use crate::access::{MediumAccess, Target, Wanted};
use crate::job::Session;
use crate::step::read_back;

/// What is in the first block, when the image does not care about it: nothing may change it.
pub(super) async fn kept_block(
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
