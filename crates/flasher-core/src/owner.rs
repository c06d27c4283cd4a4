//! Who owns a board, across the processes and users of this machine.
//!
//! A board is what its power switch, its serial line, its storage mux and its medium are ([`Driver::identities`]), however an exporter YAML names
//! them and whichever file it is. Each of them is a lock that one job holds at a time: a flash, a dump, a console. A job that comes
//! second is refused at once; the error names the holder.

mod lock;
mod same;

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::device::Device;
use crate::driver::{Driver, Flasher};
use crate::error::{Error, Result};
use crate::tree::DriverTree;

use lock::Place;

pub use lock::{Held, KilledJob};
pub use same::{file, hosts};

/// What has to be free for a job.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// Dotted path and driver of each part, for messages and for its identities.
    parts: Vec<(String, Arc<dyn Driver>)>,
}

impl Board {
    /// The boards that `driver` is a part of: itself, and what else is below a flasher that uses it.
    pub fn of(tree: &DriverTree, driver: &Arc<dyn Driver>) -> Self {
        let mut board = Self::part(tree, driver);
        for (_, device) in tree.all() {
            let Device::Flasher(flasher) = device else { continue };
            let below = Self::below(tree, &flasher).parts;
            if below.iter().any(|(_, it)| is_same(it, driver)) {
                board.parts.extend(below);
            }
        }
        board
    }

    /// The boards that any of `drivers` is a part of.
    pub fn of_all(tree: &DriverTree, drivers: impl IntoIterator<Item = Arc<dyn Driver>>) -> Self {
        let boards = drivers.into_iter().map(|driver| Self::of(tree, &driver));
        Self { parts: boards.flat_map(|board| board.parts).collect() }
    }

    /// Only `driver`, under its shortest path, which is the same however it was named.
    fn part(tree: &DriverTree, driver: &Arc<dyn Driver>) -> Self {
        Self { parts: tree.drivers().into_iter().filter(|(_, it)| is_same(it, driver)).collect() }
    }

    /// Every power switch, serial line and storage mux below a flasher of `tree`.
    pub fn below(tree: &DriverTree, flasher: &Arc<dyn Flasher>) -> Self {
        let flasher = Arc::clone(flasher) as Arc<dyn Driver>;
        let all = tree.all();
        let roots = all.iter().filter(|(_, device)| device.driver().is_some_and(|it| is_same(&it, &flasher)));
        let roots: Vec<String> = roots.map(|(path, _)| format!("{path}.")).collect();
        let below = all.iter().filter(|(path, _)| roots.iter().any(|root| path.starts_with(root)));
        let lines = below.filter(|(_, device)| {
            matches!(
                device,
                Device::Power(..) | Device::Serial(_) | Device::StorageMux(_) | Device::Python(_)
            )
        });
        let parts = lines.filter_map(|(_, device)| Self::part(tree, &device.driver()?).parts.pop()).collect();
        Self { parts }
    }

    /// Owns the board until the result is dropped; `job` tells others what for, without secrets.
    ///
    /// # Errors
    /// Class infrastructure, and not worth a retry, when another job has it (names the holder) or no lock can be kept.
    pub async fn hold(&self, job: &str) -> Result<Held> {
        let (locks, job) = (self.locks().await, job.to_owned());
        blocking(move || Place::default().hold(&locks, &job)).await
    }

    /// Fails while another job has the board, in this or another process. The caller decides what to do.
    ///
    /// # Errors
    /// Class infrastructure when another job has it; names the holder.
    pub async fn refuse_if_held(&self) -> Result<()> {
        let locks = self.locks().await;
        blocking(move || Place::default().refuse_if_held(&locks)).await
    }

    /// The job that was killed while it had the board, so that the board may still be on; none once another job had it.
    ///
    /// # Errors
    /// Class infrastructure when a lock cannot be looked at.
    pub async fn killed_job(&self) -> Result<Option<KilledJob>> {
        let locks = self.locks().await;
        blocking(move || Place::default().killed_job(&locks)).await
    }

    /// Forgets the job that was killed, once the board is switched off.
    ///
    /// # Errors
    /// Class infrastructure when another job has the board meanwhile, or a lock cannot be used.
    pub async fn forget_killed_job(&self) -> Result<()> {
        let locks = self.locks().await;
        blocking(move || Place::default().forget_killed_job(&locks)).await
    }

    /// The first part of this board and of `other` that are the same hardware: their paths; none when they share nothing.
    pub async fn shared_with(&self, other: &Self) -> Option<(String, String)> {
        let same = |(path, driver): &(String, Arc<dyn Driver>)| {
            let of_other = other.parts.iter().find(|(_, it)| is_same(it, driver));
            of_other.map(|(of_other, _)| (path.clone(), of_other.clone()))
        };
        if let Some(found) = self.parts.iter().find_map(same) {
            return Some(found);
        }
        let (own, others) = (self.locks().await, other.locks().await);
        own.into_iter().find_map(|(lock, path)| {
            let of_other = others.iter().find(|(other, _)| *other == lock);
            of_other.map(|(_, of_other)| (path, of_other.clone()))
        })
    }

    /// Name of each lock and the path of what it is for. In the order of their names, so that of two who want the same at once
    /// one gets all of it.
    async fn locks(&self) -> Vec<(String, String)> {
        let mut locks = Vec::new();
        for (path, driver) in &self.parts {
            let identities = driver.identities().await;
            locks.extend(identities.iter().map(|identity| (stable_name(identity), path.clone())));
        }
        locks.sort();
        locks.dedup_by(|one, other| one.0 == other.0);
        locks
    }
}

/// A file name made of `text`: the same in every build and on every machine.
pub fn stable_name(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|error| {
        Err(Error::new(crate::Class::Internal, "a worker thread ended unexpectedly").because(error))
    })
}

fn is_same(one: &Arc<dyn Driver>, other: &Arc<dyn Driver>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

#[cfg(test)]
mod tests;
