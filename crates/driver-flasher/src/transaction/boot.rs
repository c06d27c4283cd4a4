//! The four steps from a board that is off to a medium that can be reached.

use flasher_core::flash::ViaUsed;
use flasher_core::{Result, Step};

use crate::access::MediumAccess;
use crate::hand_over;
use crate::job::Session;
use crate::step::resolve::Resolved;
use crate::step::{bootloader, power, services, shell};

/// From nothing to a board that waits for commands, or to its medium as a disk of this machine.
pub(super) async fn boot<'a>(
    session: Session<'a>,
    resolved: &Resolved,
) -> Result<Box<dyn MediumAccess + 'a>> {
    match resolved.via() {
        ViaUsed::Linux | ViaUsed::Uboot => start_board(session, resolved).await,
        ViaUsed::Host => take_medium(session, resolved).await,
    }
}

/// The board is started as far as its boot loader, or its small Linux.
async fn start_board<'a>(session: Session<'a>, resolved: &Resolved) -> Result<Box<dyn MediumAccess + 'a>> {
    let run = session.run;
    let services = run.step(Step::Services, services::start(session, resolved)).await?;
    let console = run.step(Step::Power, power::cycle(session)).await?;
    let reached = run.step(Step::Bootloader, bootloader::load(session, resolved, &services, console)).await?;
    run.step(Step::Shell, shell::enter(session, resolved, reached)).await
}

/// The medium is given to this machine: by a mux, while the board is off, or by the board's boot loader. Nothing is served and nothing
/// booted.
async fn take_medium<'a>(session: Session<'a>, resolved: &Resolved) -> Result<Box<dyn MediumAccess + 'a>> {
    let run = session.run;
    run.step(Step::Services, async { Ok(()) }).await?;
    match &session.flasher.config.host.ums {
        None => {
            run.step(Step::Power, power::off(session)).await?;
            run.step(Step::Bootloader, hand_over::to_host(session)).await?;
        }
        Some(what) => {
            let console = run.step(Step::Power, power::cycle(session)).await?;
            run.step(Step::Bootloader, bootloader::share(session, resolved, console, what)).await?;
        }
    }
    run.step(Step::Shell, shell::open_disk(session, resolved)).await
}
