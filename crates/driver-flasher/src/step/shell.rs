//! Step 7: the way to the medium opens: the shell of the small Linux that boots, the boot loader's own, or a disk of this machine.

use flasher_core::Result;

use super::bootloader::Reached;
use super::resolve::Resolved;
use crate::access::{MediumAccess, host, linux, uboot};
use crate::job::Session;

/// Waits for the shell and prepares the board for what follows.
pub(crate) async fn enter<'a>(
    session: Session<'a>,
    resolved: &Resolved,
    reached: Reached,
) -> Result<Box<dyn MediumAccess + 'a>> {
    match reached {
        Reached::Booting { console, network } => {
            Ok(Box::new(linux::enter(session, &resolved.login(), &network, console).await?))
        }
        Reached::Prompt { uboot, tftp } => {
            Ok(Box::new(uboot::enter(session, &resolved.device, uboot, tftp).await?))
        }
    }
}

/// Waits for the medium that was given to this machine, and opens it.
pub(crate) async fn open_disk<'a>(
    session: Session<'a>,
    resolved: &Resolved,
) -> Result<Box<dyn MediumAccess + 'a>> {
    Ok(Box::new(host::enter(session, &resolved.device).await?))
}
