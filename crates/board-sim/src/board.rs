//! The simulated board as a whole: its power switch, its serial line, its medium.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use flasher_core::leftovers::{self, InUse};
use flasher_core::owner;
use line_share::{Audible, Audience, Watched};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::counters::{CounterCells, Counters};
use crate::error::SimError;
use crate::guest::{GuestFolder, HomeSlot, Medium, hosttools, kill_inside, safety};
use crate::machine::Machine;
use crate::outlet::OutletFile;
use crate::power_cycle;
use crate::serial_pty::SerialPty;

/// How names of the boards' temporary folders begin.
const PREFIX: &str = "sim-board-";

/// A simulated board. Dropping the last handle on it kills what runs on it and removes its temporary folder.
#[derive(Debug)]
pub struct SimBoard {
    config: Arc<Config>,
    folder: PathBuf,
    serial_pty: Arc<SerialPty>,
    audience: Audience,
    tally: Arc<CounterCells>,
    home: HomeSlot,
    /// What makes and removes files in the folder. It goes on when the task that waits for it is aborted.
    file_work: TaskTracker,
    running: tokio::sync::Mutex<Option<PoweredMachine>>,
    /// Its folder is in use.
    in_use: Mutex<Option<InUse>>,
    /// Follows the outlet, once the line was opened.
    plug: Mutex<Option<JoinHandle<()>>>,
}

/// What exists while the power is on.
#[derive(Debug)]
struct PoweredMachine {
    machine: JoinHandle<()>,
    /// Gives the medium back to its owner when dropped.
    _medium: Medium,
}

impl PoweredMachine {
    /// Ends the machine. Aborted on purpose: how it ended says nothing.
    async fn end(&mut self) {
        self.machine.abort();
        (&mut self.machine).await.ok();
    }
}

impl Drop for PoweredMachine {
    fn drop(&mut self) {
        self.machine.abort();
    }
}

impl SimBoard {
    /// A board that is off. Nothing is made or opened before the first power on or the first opening of its line.
    pub fn new(config: Config) -> Arc<Self> {
        let name =
            format!("{PREFIX}{}-{:016x}", std::process::id(), RandomState::new().build_hasher().finish());
        let file_work = TaskTracker::new();
        // Closed from the start: it can be waited for at any time, and still takes work.
        file_work.close();
        Arc::new(Self {
            config: Arc::new(config),
            folder: std::env::temp_dir().join(name),
            serial_pty: Arc::default(),
            audience: Audience::default(),
            tally: Arc::default(),
            home: Arc::default(),
            file_work,
            running: tokio::sync::Mutex::default(),
            in_use: Mutex::default(),
            plug: Mutex::default(),
        })
    }

    /// The file that is its medium. Without one in the config it exists from the first power on until the board is
    /// dropped.
    pub fn medium(&self) -> PathBuf {
        self.config.medium.clone().unwrap_or_else(|| self.folder.join("medium.img"))
    }

    /// What has happened on it so far.
    pub fn counters(&self) -> Counters {
        self.tally.read()
    }

    /// Looks for the tools of the host it needs. Makes nothing.
    pub(crate) async fn probe(&self) -> Result<(), SimError> {
        let config = Arc::clone(&self.config);
        blocking(move || {
            if let Some(problem) = config.problem() {
                return Err(SimError::Config(problem));
            }
            hosttools::missing()?;
            safety::no_real_device_is_writable()?;
            config.medium.as_deref().map_or(Ok(()), Medium::check)
        })
        .await
    }

    /// Its medium, when the config names one: two boards with one medium are one board.
    pub(crate) async fn identities(&self) -> Vec<String> {
        let medium = self.config.medium.clone();
        let named = blocking(move || Ok(medium.map(|it| owner::file(&it)).unwrap_or_default()));
        named.await.unwrap_or_default()
    }

    pub(crate) async fn switch_on(&self) -> Result<(), SimError> {
        self.obey()?;
        let mut running = self.running.lock().await;
        if running.is_some() {
            return Ok(());
        }
        self.probe().await?;
        let medium = self.prepare().await?;
        self.tally.count(|counters| counters.power_on += 1);
        let faults = self.config.faults.in_cycle(self.tally.read().power_on);
        let machine = Machine::new(
            Arc::new(Config { faults, ..Config::clone(&self.config) }),
            Arc::clone(&self.serial_pty),
            Arc::clone(&self.tally),
            self.folder.clone(),
            &medium,
            Arc::clone(&self.home),
            self.file_work.clone(),
        );
        *running = Some(PoweredMachine { machine: tokio::spawn(power_cycle::run(machine)), _medium: medium });
        Ok(())
    }

    pub(crate) async fn switch_off(&self) -> Result<(), SimError> {
        self.obey()?;
        let mut running = self.running.lock().await;
        let Some(mut ended) = running.take() else { return Ok(()) };
        self.tally.count(|counters| counters.power_off += 1);
        self.serial_pty.detach();
        ended.end().await;
        self.file_work.wait().await;
        let home = take(&self.home);
        blocking(move || home.map_or(Ok(()), GuestFolder::destroy)).await
    }

    /// Ends what runs on it and removes its folder: the process that closes it may end without dropping it.
    pub(crate) async fn close(&self) -> Result<(), SimError> {
        let plug = take(&self.plug);
        if let Some(plug) = plug {
            plug.abort();
            // Aborted on purpose: how it ended says nothing.
            plug.await.ok();
        }
        if let Some(mut running) = self.running.lock().await.take() {
            running.end().await;
        }
        self.file_work.wait().await;
        let (home, folder) = (take(&self.home), self.folder.clone());
        blocking(move || {
            home.map_or(Ok(()), GuestFolder::destroy)?;
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(SimError::file("remove the folder", &folder)(error))
                }
                _ => Ok(()),
            }
        })
        .await
    }

    pub(crate) async fn is_on(&self) -> bool {
        self.running.lock().await.is_some()
    }

    pub(crate) async fn open_serial(self: &Arc<Self>) -> Result<Audible<DuplexStream>, SimError> {
        self.plug_in();
        let stream = self.serial_pty.open().await?;
        self.tally.count(|counters| counters.serial_opens += 1);
        Ok(self.audience.hear(stream, self.shared_name().await.as_deref(), None).await)
    }

    pub(crate) async fn watch_serial(&self) -> std::io::Result<Option<Watched>> {
        self.audience.watch(self.shared_name().await.as_deref()).await
    }

    /// What its serial line is called among processes; none when no other process can have this board.
    async fn shared_name(&self) -> Option<String> {
        let medium = self.identities().await.into_iter().next()?;
        Some(owner::stable_name(&format!("simulated {medium}")))
    }

    /// From now on power goes as the outlet says, when there is one.
    fn plug_in(self: &Arc<Self>) {
        if let Some(outlet) = self.config.outlet.clone() {
            let board = Arc::downgrade(self);
            let mut plug = self.plug.lock().unwrap_or_else(PoisonError::into_inner);
            plug.get_or_insert_with(|| tokio::spawn(follow(OutletFile::new(outlet), board)));
        }
    }

    fn obey(&self) -> Result<(), SimError> {
        if !self.config.faults.power_stuck.strikes(self.tally.read().power_refused) {
            return Ok(());
        }
        self.tally.count(|counters| counters.power_refused += 1);
        Err(SimError::Stuck)
    }

    async fn prepare(&self) -> Result<Medium, SimError> {
        let (folder, medium, size) = (self.folder.clone(), self.medium(), self.config.size.0);
        let work = self.file_work.spawn_blocking(move || {
            let in_use = make_folder(&folder)?;
            Ok((Medium::open(&medium, size, &folder)?, in_use))
        });
        let (medium, in_use) = work.await.map_err(|_| SimError::Worker)??;
        if let Some(in_use) = in_use {
            *self.in_use.lock().unwrap_or_else(PoisonError::into_inner) = Some(in_use);
        }
        Ok(medium)
    }
}

impl Drop for SimBoard {
    fn drop(&mut self) {
        if let Some(plug) = take(&self.plug) {
            plug.abort();
        }
        self.running.get_mut().take();
        drop(take(&self.home));
        // Not there when the board was never on. What cannot be removed stays in the host's temporary folder.
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// Gives the board power while its outlet has it.
async fn follow(mut outlet: OutletFile, board: Weak<SimBoard>) {
    loop {
        let on = outlet.turned().await;
        let Some(board) = board.upgrade() else { return };
        let followed = if on { board.switch_on().await } else { board.switch_off().await };
        if let Err(error) = followed {
            tracing::warn!(%error, "the simulated board does not follow its outlet");
        }
    }
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Makes the folder when it is not there, after those that killed processes left.
fn make_folder(folder: &Path) -> Result<Option<InUse>, SimError> {
    if folder.is_dir() {
        return Ok(None);
    }
    for gone in leftovers::sweep(&std::env::temp_dir(), PREFIX) {
        // Its guest waits for ever for a board that is no more. What cannot be ended belongs to another user.
        kill_inside(&gone).ok();
    }
    let make = || fs::DirBuilder::new().mode(0o700).create(folder);
    let made = leftovers::made(make, |()| folder.to_owned());
    let ((), in_use) = made.map_err(SimError::file("make the folder", folder))?;
    safety::give_to_guest(folder)?;
    Ok(Some(in_use))
}

/// Runs what blocks on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SimError> + Send + 'static,
) -> Result<T, SimError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| SimError::Worker)?
}
