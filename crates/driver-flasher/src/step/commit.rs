//! Step 11: the first block is written, last of all: from here on the medium may boot. Whether it holds the image is for
//! *verify* to say.

use disk_image::Extent;
use flasher_core::Result;

use super::write::{Written, few};
use crate::access::{Instruction, MediumAccess, Target};
use crate::job::Session;

/// Writes the first block, durably, unless the image does not care about it.
pub(crate) async fn first_block(
    session: Session<'_>,
    target: &Target,
    written: &Written,
    access: &mut dyn MediumAccess,
) -> Result<()> {
    if written.kept.is_some() {
        return Ok(());
    }
    let first = Extent::Data { offset: 0, bytes: written.first.clone() };
    few(session, target, vec![Instruction::Write(first)], access).await?;
    session.run.record.medium(|medium| medium.ranges[0].writes += 1);
    Ok(())
}
