//! The first block as zeros: nothing boots while the rest of the medium is not proven.

use flasher_core::Result;
use flasher_core::flash::MediumState;

use super::few::few;
use super::written::Written;
use crate::access::{Instruction, MediumAccess, Target};
use crate::config::seconds;
use crate::job::Session;

/// Makes the first block durable zeros, unless the boot loader lives in it: then nothing boots what is not the image.
pub(crate) async fn spoil(
    session: Session<'_>,
    target: &Target,
    written: &Written,
    access: &mut dyn MediumAccess,
) -> Result<()> {
    if !written.spoils {
        return Ok(());
    }
    few(session, target, zeros_first(written.first.len() as u64), access).await
}

/// Makes the first `length` bytes zeros after a failure of the image, when they may be anything else: a mark of the capacity check
/// may be there, since the stream that begins with zeros broke before the board had read them.
pub(super) async fn erase(session: Session<'_>, length: u64, target: &Target, access: &mut dyn MediumAccess) {
    let is_begun = !matches!(session.run.on_medium.now(), MediumState::Untouched | MediumState::Prepared);
    if length == 0 || !is_begun {
        return;
    }
    let within = seconds(session.flasher.config.timeouts.command);
    let erasing = few(session, target, zeros_first(length), access);
    let problem = match tokio::time::timeout(within, erasing).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.cause(),
        Err(_) => "the board does not answer".to_owned(),
    };
    session.run.warn(format!("the first block may not be erased: {problem}"));
}

/// Zeros where the first block will be, durable before anything else is written. Nothing behind the image is touched.
pub(super) fn zeros_first(length: u64) -> Vec<Instruction> {
    vec![Instruction::Fill { offset: 0, length }, Instruction::Flush]
}
