//! Step 7: the small Linux boots; its shell is the way to the medium.

use board_console::Console;
use flasher_core::Result;

use super::resolve::Resolved;
use crate::access::{MediumAccess, linux};
use crate::job::Session;
use crate::network::Network;

/// Waits for the shell and prepares the board for what follows.
pub(crate) async fn enter<'a>(
    session: Session<'a>,
    resolved: &Resolved,
    network: &Network,
    console: Console,
) -> Result<Box<dyn MediumAccess + 'a>> {
    Ok(Box::new(linux::enter(session, resolved.bundle.manifest(), network, console).await?))
}
