//! A few bytes at once: the first block, its zeros, and the marks of the capacity check.

use flasher_core::Result;

use crate::access::{Instruction, MediumAccess, Target};
use crate::job::Session;

/// Has a few instructions carried out, durably.
pub(crate) async fn few(
    session: Session<'_>,
    target: &Target,
    instructions: Vec<Instruction>,
    access: &mut dyn MediumAccess,
) -> Result<()> {
    let evidence = access.write_few(target, instructions, session.run.writes.permit()).await?;
    session.run.record.medium(|medium| evidence.note(medium));
    Ok(())
}
