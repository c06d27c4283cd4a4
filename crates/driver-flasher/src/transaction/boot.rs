//! The four steps from a board that is off to one that waits for commands.

use flasher_core::{Result, Step};

use crate::access::MediumAccess;
use crate::job::Session;
use crate::step::resolve::Resolved;
use crate::step::{bootloader, power, services, shell};

/// From nothing to a board that waits for commands.
pub(super) async fn boot<'a>(
    session: Session<'a>,
    resolved: &Resolved,
) -> Result<Box<dyn MediumAccess + 'a>> {
    let run = session.run;
    let services = run.step(Step::Services, services::start(session, resolved)).await?;
    let console = run.step(Step::Power, power::cycle(session)).await?;
    let reached = run.step(Step::Bootloader, bootloader::load(session, resolved, &services, console)).await?;
    run.step(Step::Shell, shell::enter(session, resolved, reached)).await
}
