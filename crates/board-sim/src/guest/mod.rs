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

use std::sync::{Arc, PoisonError};

pub(crate) use self::home::{GuestFolder, HomeSlot};
pub(crate) use self::kill::kill_inside;
pub(crate) use self::medium::Medium;
use self::session::GuestSession;
use crate::error::SimError;
use crate::machine::{Machine, SystemEnd};

/// Runs Linux until it reboots or goes off.
pub(crate) async fn run(machine: &mut Machine) -> SystemEnd {
    match start(machine).await {
        Ok(mut session) => {
            let end = session.run(machine).await;
            finish(machine).await;
            end
        }
        Err(error) => machine.panic(&error),
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
        machine.panic(&error);
    }
}
