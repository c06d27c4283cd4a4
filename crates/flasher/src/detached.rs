//! Jobs that run on without a terminal: each has a private folder below the user's state folder, with its events, its log and its
//! receipt, and a lock that says that it still runs.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flasher_core::{Error, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

mod in_job;
mod record;
mod tail;

pub(crate) use in_job::InJob;
pub(crate) use tail::Tail;

/// Jobs that are kept, the newest.
const KEPT: usize = 50;
/// How long a job that is over is kept.
const AGE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The folder of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobFolder(PathBuf);

/// The job runs for as long as this is kept, or until its process ends however it does.
#[derive(Debug)]
pub(crate) struct Running {
    _lock: File,
}

impl JobFolder {
    /// A folder for a new job. Jobs that are long over are removed.
    ///
    /// # Errors
    /// When the user has no state folder, or it cannot be written.
    pub(crate) fn make() -> Result<Self> {
        let all = below_state()?;
        let failed = |error| unwritable(&all, error);
        DirBuilder::new().recursive(true).mode(0o700).create(&all).map_err(failed)?;
        forget_old(&all);
        let made = tempfile::Builder::new().prefix("").rand_bytes(6).tempdir_in(&all).map_err(failed)?;
        Ok(Self(made.keep()))
    }

    /// The folder that [`JobFolder::make`] made in the process that began the job.
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_path_buf())
    }

    /// The job called `id`; without one the only job that runs, or else the newest.
    ///
    /// # Errors
    /// When there is no such job, or several run.
    pub(crate) fn find(id: Option<&str>) -> Result<Self> {
        let jobs = all(&below_state()?);
        if let Some(id) = id {
            return jobs.into_iter().find(|job| job.id() == id).ok_or_else(|| unknown(id));
        }
        let running: Vec<&Self> = jobs.iter().filter(|job| job.is_running()).collect();
        match running.as_slice() {
            [] => jobs.into_iter().next().ok_or_else(none),
            [only] => Ok((*only).clone()),
            several => Err(which(several)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// What people call the job.
    pub(crate) fn id(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Where its events are, a JSON object a line.
    pub(crate) fn events(&self) -> PathBuf {
        self.0.join("events.jsonl")
    }

    /// Where its standard error goes.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Where its receipt is kept unless another place was named.
    pub(crate) fn receipt(&self) -> PathBuf {
        self.0.join("receipt.json")
    }

    /// A file of the job, for its owner alone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn create(&self, path: &Path) -> Result<File> {
        let made = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        made.map_err(|error| unwritable(path, error))
    }

    /// Says that the job runs, in this process.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn run(&self) -> Result<Running> {
        let path = self.owner();
        let mut lock = self.create(&path)?;
        let noted = flock(&lock, FlockOperation::LockExclusive).map_err(io::Error::from);
        noted
            .and_then(|()| write!(lock, "{}", std::process::id()))
            .map_err(|error| unwritable(&path, error))?;
        Ok(Running { _lock: lock })
    }

    /// Whether its process is alive.
    pub(crate) fn is_running(&self) -> bool {
        // A process that looks shares the lock with others that look.
        File::open(self.owner())
            .is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockShared).is_err())
    }

    /// Whether its process has got as far as saying so.
    pub(crate) fn has_begun(&self) -> bool {
        fs::metadata(self.owner()).is_ok_and(|about| about.len() > 0)
    }

    /// Asks the job to stop in good order; false when it is over.
    ///
    /// # Errors
    /// When its process cannot be found out.
    pub(crate) fn stop(&self) -> Result<bool> {
        let Some(process) = self.process() else { return Ok(false) };
        let told = pidfd_send_signal(&process, Signal::TERM);
        told.map(|()| true).map_err(|error| {
            Error::infrastructure(format!("the job `{}` cannot be stopped", self.id())).because(error)
        })
    }

    /// Its process, which the lock proves to be the one that was noted, also once it was opened.
    fn process(&self) -> Option<OwnedFd> {
        let mut noted = String::new();
        File::open(self.owner()).ok()?.take(20).read_to_string(&mut noted).ok()?;
        let process = pidfd_open(Pid::from_raw(noted.trim().parse().ok()?)?, PidfdFlags::empty()).ok()?;
        self.is_running().then_some(process)
    }

    fn owner(&self) -> PathBuf {
        self.0.join("owner")
    }

    fn changed(&self) -> SystemTime {
        let at = |path: PathBuf| fs::metadata(path).and_then(|about| about.modified()).ok();
        at(self.events()).or_else(|| at(self.0.clone())).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

/// All jobs, the newest first.
fn all(folder: &Path) -> Vec<JobFolder> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut jobs: Vec<(SystemTime, JobFolder)> =
        folders.map(|entry| JobFolder(entry.path())).map(|job| (job.changed(), job)).collect();
    jobs.sort_by_key(|(changed, _)| std::cmp::Reverse(*changed));
    jobs.into_iter().map(|(_, job)| job).collect()
}

fn forget_old(folder: &Path) {
    for (place, job) in all(folder).into_iter().enumerate() {
        let old = job.changed().elapsed().is_ok_and(|age| age > AGE);
        // One that has just been made and does not run yet is among the newest.
        if (old || place >= KEPT)
            && !job.is_running()
            && let Err(error) = fs::remove_dir_all(job.path())
        {
            tracing::warn!(%error, job = job.id(), "an old job cannot be removed");
        }
    }
}

/// `$XDG_STATE_HOME/flasher/jobs`, by default below `~/.local/state` (XDG Base Directory Specification).
fn below_state() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    state.map(|state| state.join("flasher/jobs")).ok_or_else(|| {
        Error::config("there is no place for jobs without a terminal: neither XDG_STATE_HOME nor HOME is set")
            .help("set one of them to a folder of your own")
    })
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::infrastructure(format!("cannot write `{}`, where the job is kept", path.display()))
        .help("make room, or set XDG_STATE_HOME to another folder of your own")
        .because(error)
}

fn unknown(id: &str) -> Error {
    Error::config(format!("there is no job `{id}` on this machine"))
        .help("without an ID the job that runs is meant; `--remote` asks an exporter")
}

fn none() -> Error {
    Error::config("no job was started with `--detach` on this machine").help(
        "`flasher flash --detach` starts one; `--remote HOST:PORT` asks an exporter for the job that runs there",
    )
}

fn which(running: &[&JobFolder]) -> Error {
    let ids = running.iter().map(|job| format!("`{}`", job.id())).collect::<Vec<_>>().join(", ");
    Error::config(format!("several jobs run on this machine: {ids}")).help("name one of them")
}
