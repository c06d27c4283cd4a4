//! The board's Linux: a login, and the host's own shell on a pty, locked into the board's private folder.

mod discipline;
mod home;
pub(crate) mod hosttools;
mod kill;
mod lengths;
pub(crate) mod login;
mod medium;
mod rewrite;
pub(crate) mod safety;
mod session;
mod shell;
mod strip;
mod tools;

use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use self::home::GuestFolder;
pub(crate) use self::medium::Medium;
use self::session::GuestSession;
use crate::error::SimError;
use crate::machine::Machine;

/// Where the machine keeps the guest's home, so that switching off can destroy it.
pub(crate) type HomeSlot = Arc<Mutex<Option<GuestFolder>>>;

/// How a system ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The board resets.
    Reset,
    /// The board goes off.
    Off,
}

/// Runs Linux until it reboots or goes off.
pub(crate) async fn run(machine: &mut Machine) -> End {
    match start(machine).await {
        Ok(mut session) => {
            let end = session.run(machine).await;
            finish(machine).await;
            end
        }
        Err(error) => panic_screen(machine, &error),
    }
}

async fn start(machine: &mut Machine) -> Result<GuestSession, SimError> {
    let (config, folder, medium) =
        (Arc::clone(&machine.config), machine.folder.clone(), machine.medium.clone());
    let (so_far, slot) = (machine.tally.read(), Arc::clone(&machine.home));
    let made = machine.file_work.spawn_blocking(move || {
        let home = GuestFolder::make(&config, &folder, &medium, &so_far)?;
        let session = GuestSession::new(&home, config.block_names())?;
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(home);
        Ok(session)
    });
    made.await.map_err(|_| SimError::Worker)?
}

/// Kills what the guest left behind.
async fn finish(machine: &Machine) {
    let home = machine.home.lock().unwrap_or_else(PoisonError::into_inner).take();
    let destroyed = machine.file_work.spawn_blocking(move || home.map_or(Ok(()), GuestFolder::destroy));
    if let Err(error) = destroyed.await.unwrap_or(Err(SimError::Worker)) {
        panic_screen(machine, &error);
    }
}

/// The simulation itself failed: said where a kernel says such things.
fn panic_screen(machine: &Machine, error: &SimError) -> End {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    machine.screen.print(&format!("[    1.000000] Kernel panic - not syncing: simulation: {error}{cause}\n"));
    End::Off
}
