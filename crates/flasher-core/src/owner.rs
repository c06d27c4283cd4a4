//! Who owns a board, across the processes of this machine: a flash holds a lock on its power for as long as it runs, so
//! that nobody cuts it by hand meanwhile.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use crate::device::Device;
use crate::driver::{Driver, Flasher};
use crate::error::{Error, Result};
use crate::tree::DeviceTree;

/// The lock of one power switch of an exporter YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PowerLock {
    /// Name of the lock file.
    name: String,
    /// Dotted path of the switch, for people.
    power: String,
}

/// A power switch that is owned until this is dropped.
#[derive(Debug)]
pub struct Held {
    path: PathBuf,
    file: File,
}

impl PowerLock {
    /// The lock of a power switch of `tree`; none when the tree was not read from a file, or does not have the switch.
    pub fn of(tree: &DeviceTree, power: &Arc<dyn Driver>) -> Option<Self> {
        // The shortest path is the same however the switch was named.
        let (power, _) = tree.drivers().into_iter().find(|(_, it)| is_same(it, power))?;
        let mut hasher = DefaultHasher::new();
        (tree.file()?, &power).hash(&mut hasher);
        Some(Self { name: format!("board-{:016x}", hasher.finish()), power })
    }

    /// The locks of all power switches below a flasher of `tree`.
    pub fn below(tree: &DeviceTree, flasher: &Arc<dyn Flasher>) -> Vec<Self> {
        let flasher = Arc::clone(flasher) as Arc<dyn Driver>;
        let all = tree.all();
        let roots = all.iter().filter(|(_, device)| device.driver().is_some_and(|it| is_same(&it, &flasher)));
        let roots: Vec<String> = roots.map(|(path, _)| format!("{path}.")).collect();
        let below = all.iter().filter(|(path, _)| roots.iter().any(|root| path.starts_with(root)));
        let powers = below.filter_map(|(_, device)| match device {
            Device::Power(..) => Self::of(tree, &device.driver()?),
            _ => None,
        });
        powers.collect()
    }

    /// Owns the switch; none where no lock can be kept. May block for an instant.
    ///
    /// Shared, as simulated boards of one file are flashed side by side; two flashes of a real one meet at its serial port.
    pub fn hold(&self) -> Option<Held> {
        for _ in 0..3 {
            let (path, mut file) = self.open(true)?;
            // Whoever looks holds it for an instant only.
            flock(&file, FlockOperation::LockShared).ok()?;
            if file.metadata().is_ok_and(|it| it.nlink() > 0) {
                let note = format!("process {}", std::process::id());
                // The name is for people; the lock holds without it.
                let _ = file.set_len(0).and_then(|()| file.write_all(note.as_bytes()));
                return Some(Held { path, file });
            }
        }
        None
    }

    /// Fails while a flash owns the switch, in whatever process. May block for an instant.
    ///
    /// # Errors
    /// Class infrastructure when one does; names it, and leaves what to do to the caller.
    pub fn refuse_if_held(&self) -> Result<()> {
        let Some((_, mut file)) = self.open(false) else { return Ok(()) };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.held_by(&mut file)),
        }
    }

    fn held_by(&self, file: &mut File) -> Error {
        let mut holder = String::new();
        let read = file.rewind().and_then(|()| file.take(100).read_to_string(&mut holder));
        let holder = if read.is_ok() && !holder.is_empty() { format!(" ({holder})") } else { String::new() };
        Error::infrastructure(format!("a flash owns `{}`{holder}", self.power)).retryable(false)
    }

    /// The lock file, in a folder that is this user's alone; none where there is no such folder.
    fn open(&self, make: bool) -> Option<(PathBuf, File)> {
        let path = folder()?.join(&self.name);
        let file =
            OpenOptions::new().read(true).write(true).create(make).truncate(false).mode(0o600).open(&path);
        file.ok().map(|file| (path, file))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The last owner leaves nothing behind; whoever comes at this moment finds that its file has no name and makes another.
        if flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_file(&self.path);
            let _ = self.path.parent().map(fs::remove_dir);
        }
    }
}

/// Owns all of them, for as long as the result is kept. May block for an instant.
pub fn hold_all(locks: &[PowerLock]) -> Vec<Held> {
    locks.iter().filter_map(PowerLock::hold).collect()
}

fn is_same(one: &Arc<dyn Driver>, other: &Arc<dyn Driver>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

fn folder() -> Option<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    let is_private = |folder: &Path| {
        fs::symlink_metadata(folder).is_ok_and(|it| it.is_dir() && it.uid() == user && it.mode() & 0o077 == 0)
    };
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|it| is_private(it));
    let folder =
        runtime.map_or_else(|| std::env::temp_dir().join(format!("flasher-{user}")), |it| it.join("flasher"));
    // It may be there already; whose it is decides.
    let _ = fs::DirBuilder::new().mode(0o700).create(&folder);
    Some(folder).filter(|folder| is_private(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_refused_with_its_holder_and_free_again_when_the_last_one_lets_go() {
        let name = format!("test-{}", std::process::id());
        let lock = PowerLock { name, power: "board.power".to_owned() };
        lock.refuse_if_held().unwrap();
        let held = hold_all(&[lock.clone(), lock.clone()]);
        assert_eq!(held.len(), 2);
        let path = held[0].path.clone();
        let error = lock.refuse_if_held().unwrap_err();
        let owner = format!("a flash owns `board.power` (process {})", std::process::id());
        assert_eq!((error.class(), error.cause()), (crate::Class::Infrastructure, owner));
        let mut held = held.into_iter();
        drop(held.next());
        lock.refuse_if_held().unwrap_err();
        drop(held.next());
        lock.refuse_if_held().unwrap();
        assert!(!path.exists());
    }
}
