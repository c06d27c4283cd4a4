//! Who owns a board: a flash holds a lock on its power for as long as it runs, so that nobody cuts it by hand meanwhile.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flasher_core::tree::DeviceTree;
use flasher_core::{Device, Driver, Error, Result};
use rustix::fs::{FlockOperation, flock};

/// A board that is owned until this is dropped.
#[derive(Debug)]
pub(crate) struct Owned {
    locks: Vec<Lock>,
}

/// The lock of one power switch.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    file: File,
}

impl Drop for Owned {
    fn drop(&mut self) {
        for Lock { path, file } in &self.locks {
            // The last owner leaves nothing behind; whoever comes at this moment finds that its file has no name and makes another.
            if flock(file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                let _ = fs::remove_file(path);
                let _ = path.parent().map(fs::remove_dir);
            }
        }
    }
}

/// Owns the power of the flasher at `flasher` (the only one, when none is named) in the exporter YAML `exporter`.
///
/// # Errors
/// When there is no such flasher. Where no lock can be kept, the board is owned by nobody.
pub(crate) fn own(exporter: &Path, tree: &DeviceTree, flasher: Option<&str>) -> Result<Owned> {
    let powers = powers_of(tree, flasher)?;
    Ok(Owned { locks: powers.iter().filter_map(|power| hold(exporter, power)).collect() })
}

/// Shared, as simulated boards of one file are flashed side by side; two flashes of a real one meet at its serial port.
fn hold(exporter: &Path, power: &str) -> Option<Lock> {
    for _ in 0..3 {
        let mut lock = lock_file(exporter, power, true)?;
        // Whoever looks holds it for an instant only.
        flock(&lock.file, FlockOperation::LockShared).ok()?;
        if lock.file.metadata().is_ok_and(|it| it.nlink() > 0) {
            let note = format!("process {}", std::process::id());
            // The name is for people; the lock holds without it.
            let _ = lock.file.set_len(0).and_then(|()| lock.file.write_all(note.as_bytes()));
            return Some(lock);
        }
    }
    None
}

/// Fails while a flash owns the power at `power`.
///
/// # Errors
/// When one does; names it.
pub(crate) fn refuse_if_owned(exporter: &Path, tree: &DeviceTree, power: &Arc<dyn Driver>) -> Result<()> {
    let Some(power) = shortest(tree, power) else { return Ok(()) };
    let Some(mut lock) = lock_file(exporter, &power, false) else { return Ok(()) };
    match flock(&lock.file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(_) => Err(owned(&mut lock.file, &power).help("wait for it to end, stop it, or use `--force`")),
    }
}

fn owned(lock: &mut File, power: &str) -> Error {
    let mut holder = String::new();
    let read = lock.rewind().and_then(|()| lock.take(100).read_to_string(&mut holder));
    let holder = if read.is_ok() && !holder.is_empty() { format!(" ({holder})") } else { String::new() };
    Error::infrastructure(format!("a flash owns `{power}`{holder}")).retryable(false)
}

/// The power switches below a flasher, by the shortest path of each.
fn powers_of(tree: &DeviceTree, flasher: Option<&str>) -> Result<Vec<String>> {
    let flasher = tree.flasher(flasher)? as Arc<dyn Driver>;
    let all = tree.all();
    let roots = all.iter().filter(|(_, device)| device.driver().is_some_and(|it| is_same(&it, &flasher)));
    let roots: Vec<String> = roots.map(|(path, _)| format!("{path}.")).collect();
    let below = all.iter().filter(|(path, _)| roots.iter().any(|root| path.starts_with(root)));
    let powers = below.filter_map(|(_, device)| match device {
        Device::Power(..) => shortest(tree, &device.driver()?),
        _ => None,
    });
    Ok(powers.collect())
}

/// The shortest path a driver is reached by: the same however it was named.
fn shortest(tree: &DeviceTree, driver: &Arc<dyn Driver>) -> Option<String> {
    tree.drivers().into_iter().find(|(_, it)| is_same(it, driver)).map(|(path, _)| path)
}

fn is_same(one: &Arc<dyn Driver>, other: &Arc<dyn Driver>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

/// The lock of one power switch, in a folder that is this user's alone; none where there is no such folder.
fn lock_file(exporter: &Path, power: &str, make: bool) -> Option<Lock> {
    let mut hasher = DefaultHasher::new();
    (fs::canonicalize(exporter).ok()?, power).hash(&mut hasher);
    let path = folder()?.join(format!("board-{:016x}", hasher.finish()));
    let file = OpenOptions::new().read(true).write(true).create(make).truncate(false).mode(0o600).open(&path);
    file.ok().map(|file| Lock { path, file })
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
