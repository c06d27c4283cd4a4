//! Lock files that all users of a machine share. They lie in folders that every user may write, so nothing found there is trusted:
//! no link is followed, only a regular file is a lock, and what it says is shown bounded and without control characters.

use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::event::Event;

/// Folders of Linux that all users may write. Each that can be had is used: a service may have a `/tmp` of its own, and not
/// every system lets users into `/run/lock`.
const FOLDERS: [&str; 2] = ["/run/lock", "/tmp"];
/// How often, and how long apart, a lock is tried: a process that only looks has it for an instant.
const TRIES: u32 = 100;
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Most of what a lock file says that is read, bytes, and that is shown of one word, characters.
const LONGEST: u64 = 1024;
const SHOWN: usize = 120;

/// Locks that are held until this is dropped.
#[derive(Debug, Default)]
pub struct Held {
    locks: Vec<Lock>,
    /// The job that had the board last, when it was killed.
    after: Option<KilledJob>,
}

/// A job that ended without its own doing (SIGKILL, a crash, a power cut of this machine): it switched nothing off. Free of
/// control characters, since every user may have written it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KilledJob {
    /// Command and image, as `flash os.img`.
    pub job: String,
    /// Number of its process.
    pub process: u32,
    /// Who started it.
    pub user: String,
    /// When it began, RFC 3339 in UTC.
    pub since: String,
}

/// Where locks are kept.
pub(super) struct Place {
    folders: Vec<PathBuf>,
}

/// One file that is locked.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    file: File,
    /// What the file says of a killed job, until this job's own note replaces it.
    killed: Option<KilledJob>,
}

/// What a lock file says for people.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    process: u32,
    user: String,
    since: String,
    job: String,
}

impl Held {
    /// What the job that holds the board reports of the one before it, when that was killed.
    pub fn warning(&self) -> Option<Event> {
        let killed = self.after.as_ref()?;
        let message = format!(
            "the last job on this board was killed and may have left its medium partly written: {killed}"
        );
        Some(Event::Warning { message })
    }
}

#[cfg(test)]
impl Held {
    pub(super) fn files(&self) -> impl Iterator<Item = &File> {
        self.locks.iter().map(|lock| &lock.file)
    }
}

impl fmt::Display for KilledJob {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, process, user, since } = self;
        write!(to, "`{job}`, process {process} of user `{user}`, since {since}")
    }
}

impl Default for Place {
    fn default() -> Self {
        Self { folders: FOLDERS.map(PathBuf::from).to_vec() }
    }
}

impl Place {
    /// A place of its own, for tests.
    #[cfg(test)]
    pub(super) fn at(folders: &[&Path]) -> Self {
        Self { folders: folders.iter().map(|it| it.to_path_buf()).collect() }
    }

    /// Takes all `locks` (name, and the node it is for), or none of them. Blocks for an instant.
    pub(super) fn hold(&self, locks: &[(String, String)], job: &str) -> Result<Held> {
        let mut held = Held::default();
        for (name, node) in locks {
            let before = held.locks.len();
            for path in self.paths(name) {
                held.locks.extend(take(&path, node)?);
            }
            if held.locks.len() == before {
                return Err(self.nowhere());
            }
        }
        let note = Note::of(job);
        for lock in &mut held.locks {
            held.after = held.after.take().or(lock.killed.take());
            lock.write(&note);
        }
        Ok(held)
    }

    /// The job that was killed while it had one of `locks`; none while a job has them. Makes no file. Blocks for an instant.
    pub(super) fn killed_job(&self, locks: &[(String, String)]) -> Result<Option<KilledJob>> {
        for (name, node) in locks {
            for path in self.paths(name) {
                let Some(mut file) = open(&path, false, node)? else { continue };
                let is_free = flock(&file, FlockOperation::NonBlockingLockShared).is_ok();
                if let Some(killed) = is_free.then(|| KilledJob::read(&mut file)).flatten() {
                    return Ok(Some(killed));
                }
            }
        }
        Ok(None)
    }

    /// Removes what a killed job left of `locks`. Locks that a job has stay. Blocks for an instant.
    pub(super) fn forget_killed_job(&self, locks: &[(String, String)]) -> Result<()> {
        match self.killed_job(locks)? {
            Some(_) => self.hold(locks, "power off").map(drop),
            None => Ok(()),
        }
    }

    /// Fails when a job has one of `locks`. Makes no file. Blocks for an instant.
    pub(super) fn refuse_if_held(&self, locks: &[(String, String)]) -> Result<()> {
        for (name, node) in locks {
            for path in self.paths(name) {
                let Some(mut file) = open(&path, false, node)? else { continue };
                if flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK) {
                    return Err(held_by(&mut file, node));
                }
            }
        }
        Ok(())
    }

    fn paths(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        self.folders.iter().map(move |folder| folder.join(format!("flasher-board-{name}")))
    }

    fn nowhere(&self) -> Error {
        let names: Vec<String> = self.folders.iter().map(|it| format!("`{}`", it.display())).collect();
        Error::infrastructure(format!("no lock can be kept in {}", names.join(" or ")))
            .help("let this user make files in one of them: without a lock two jobs could have one board")
            .retryable(false)
    }
}

impl Lock {
    /// Says who holds it. The lock holds without: another user's file may not be writable.
    fn write(&mut self, note: &Note) {
        let text = serde_json::to_vec(note).unwrap_or_default();
        let begun = self.file.set_len(0).and_then(|()| self.file.rewind());
        if let Err(error) = begun.and_then(|()| self.file.write_all(&text)) {
            tracing::debug!(file = %self.path.display(), %error, "the lock does not say who holds it");
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Another lock of the board could not be had: the note of the killed job stays for the next who comes.
        if self.killed.is_some() {
            return;
        }
        // Removed while it is held: a process that has it open finds that its name is gone and makes another. Another user's file
        // stays, and says nothing any more.
        let _ = self.file.set_len(0);
        let _ = fs::remove_file(&self.path);
    }
}

impl KilledJob {
    /// What an unlocked file says: who ends by itself leaves nothing in it.
    fn read(file: &mut File) -> Option<Self> {
        Note::read(file).map(Self::from)
    }
}

impl From<Note> for KilledJob {
    fn from(note: Note) -> Self {
        let Note { process, user, since, job } = note;
        Self { job: shown(&job), process, user: shown(&user), since: shown(&since) }
    }
}

impl Note {
    fn of(job: &str) -> Self {
        let now = SystemTime::now().max(SystemTime::UNIX_EPOCH);
        Self {
            process: std::process::id(),
            user: user(rustix::process::geteuid().as_raw()),
            since: humantime::format_rfc3339_seconds(now).to_string(),
            job: shown(job),
        }
    }

    fn read(file: &mut File) -> Option<Self> {
        let mut text = Vec::new();
        file.rewind().ok()?;
        file.take(LONGEST).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// Locks the file at `path`; none where this user can make no file.
fn take(path: &Path, node: &str) -> Result<Option<Lock>> {
    for _ in 0..TRIES {
        let Some(mut file) = open(path, true, node)? else { return Ok(None) };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // It may have been removed by its last holder since it was opened.
            Ok(()) if is_at(&file, path) => {
                let killed = KilledJob::read(&mut file);
                return Ok(Some(Lock { path: path.to_owned(), file, killed }));
            }
            Ok(()) => continue,
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(unusable(path, node, &error.into())),
        }
        let is_owned = flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK);
        if is_owned && is_at(&file, path) {
            return Err(held_by(&mut file, node));
        }
        drop(file);
        std::thread::park_timeout(POLL_INTERVAL);
    }
    Err(unusable(path, node, &io::ErrorKind::ResourceBusy.into()))
}

/// Opens the lock file, making it when asked; none when it is not there and not to be made, or cannot be.
fn open(path: &Path, make: bool, node: &str) -> Result<Option<File>> {
    let file = match existing(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && make => match create(path) {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => existing(path),
            Err(_) => return Ok(None),
            made => made,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened,
    };
    let file = file.map_err(|error| unusable(path, node, &error))?;
    match file.metadata() {
        Ok(about) if about.is_file() => Ok(Some(file)),
        Ok(_) => Err(unusable(path, node, &io::Error::other("it is no regular file"))),
        Err(error) => Err(unusable(path, node, &error)),
    }
}

/// Without O_CREAT: in such folders the kernel refuses that for another user's file (`fs.protected_regular`). Non-blocking, so
/// that a FIFO hangs no process.
fn existing(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let both = File::options().read(true).write(true).custom_flags(flags).open(path);
    match both {
        // A lock needs no more than reading.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            File::options().read(true).custom_flags(flags).open(path)
        }
        both => both,
    }
}

/// Writable for all, whatever the umask: every holder says who it is.
fn create(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).write(true).create_new(true).open(path)?;
    file.set_permissions(Permissions::from_mode(0o666))?;
    Ok(file)
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

fn held_by(file: &mut File, node: &str) -> Error {
    let holder = Note::read(file).map(|note| format!(": {}", KilledJob::from(note))).unwrap_or_default();
    Error::infrastructure(format!("the board is in use{holder}"))
        .with("node", node)
        .help("wait for it to end, or stop it")
        .retryable(false)
}

fn unusable(path: &Path, node: &str, error: &io::Error) -> Error {
    let owner = fs::symlink_metadata(path).map(|about| format!(" of user `{}`", user(about.uid())));
    let owner = owner.unwrap_or_default();
    Error::infrastructure(format!("the board's lock `{}`{owner} cannot be used: {error}", path.display()))
        .with("node", node)
        .help(format!("if no flash of that user runs, remove it: `sudo rm -d {}`", path.display()))
        .retryable(false)
}

/// Name of a user, or the number when `/etc/passwd` does not know it.
fn user(id: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(id)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| id.to_string())
}

/// What may go to a terminal: no control characters, and none that change the direction of writing.
fn shown(text: &str) -> String {
    let plain = |it: &char| it.is_alphanumeric() || (it.is_ascii() && !it.is_ascii_control() && *it != '`');
    text.chars().filter(plain).take(SHOWN).collect()
}
