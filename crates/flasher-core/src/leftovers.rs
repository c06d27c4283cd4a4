//! What a killed process left behind: temporary files are locked by their owner; those without a lock are removed at the next start.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

/// A temporary file or folder that is in use until this is dropped, or its process ends however it does.
#[derive(Debug)]
pub struct InUse {
    _file: File,
}

/// How often something temporary is made anew that a [`sweep`] took before it was held.
const TRIES: u32 = 10;

/// Makes something temporary with `make`, whose place `path` tells, and holds it. Made again when a [`sweep`] came between.
///
/// # Errors
/// When it cannot be made or opened, or vanishes each time.
pub fn made<T>(make: impl Fn() -> io::Result<T>, path: impl Fn(&T) -> PathBuf) -> io::Result<(T, InUse)> {
    for _ in 0..TRIES {
        let new = make()?;
        if let Some(in_use) = hold(&path(&new))? {
            return Ok((new, in_use));
        }
    }
    Err(io::Error::other("what is temporary vanishes as soon as it is made"))
}

/// Holds what the caller has just made at `path`; none when a [`sweep`] came between.
fn hold(path: &Path) -> io::Result<Option<InUse>> {
    let file = match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    // Where a file system knows no locks, a sweep gets none either.
    let _ = flock(&file, FlockOperation::LockShared);
    Ok(is_at(&file, path).then_some(InUse { _file: file }))
}

/// Removes the files and folders in `folder` whose names begin with `prefix`, whose owner is this user, and which no process holds.
/// Gives those that are gone. May block for an instant.
pub fn sweep(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter(|it| it.file_name().to_string_lossy().starts_with(prefix));
    named.map(|it| it.path()).filter(|path| clear(path)).collect()
}

/// Removes it when no process holds it; whether it is gone.
fn clear(path: &Path) -> bool {
    let Some(_lock) = abandoned(path) else { return false };
    remove(path).is_ok()
}

/// The lock on what no process holds. It is kept until that is removed: a process that has just made it waits for the lock, and
/// then notices.
fn abandoned(path: &Path) -> Option<File> {
    let user = rustix::process::geteuid();
    let file = open(path).ok()?;
    let about = file.metadata().ok()?;
    // The superuser gives some of its folders to a user without rights.
    let ours = user.is_root() || about.uid() == user.as_raw();
    let plain = about.is_file() || about.is_dir();
    let locked = ours && plain && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
    (locked && is_at(&file, path)).then_some(file)
}

fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Never through a link, and never waiting for a pipe's other end.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Whether `path` still names this very file.
fn is_at(file: &File, path: &Path) -> bool {
    let same = |one: fs::Metadata, other: fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
    file.metadata().is_ok_and(|one| fs::symlink_metadata(path).is_ok_and(|other| same(one, other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sweep_takes_before_it_is_held_is_made_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("tmp-a");
        let tries = std::cell::Cell::new(0);
        let make = || {
            fs::create_dir(&path)?;
            if tries.replace(tries.get() + 1) < 2 {
                sweep(place.path(), "tmp-");
            }
            Ok(path.clone())
        };
        let (kept, _in_use) = made(make, PathBuf::clone).unwrap();
        assert!(kept.is_dir() && tries.get() == 3);
        assert!(sweep(place.path(), "tmp-").is_empty() && kept.is_dir());
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_nobody_holds_goes_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        for file in ["tmp-dead", "tmp-alive", "image.tmp-", "target"] {
            fs::write(path(file), "").unwrap();
        }
        for folder in ["tmp-dead-folder/deep", "tmp-alive-folder/deep"] {
            fs::create_dir_all(path(folder)).unwrap();
        }
        std::os::unix::fs::symlink(path("target"), path("tmp-link")).unwrap();
        let held = ["tmp-alive", "tmp-alive-folder"].map(|name| hold(&path(name)).unwrap().unwrap());
        let mut gone = sweep(place.path(), "tmp-");
        gone.sort();
        assert_eq!(gone, [path("tmp-dead"), path("tmp-dead-folder")]);
        let left = ["image.tmp-", "target", "tmp-alive", "tmp-alive-folder", "tmp-link"];
        assert_eq!(names(place.path()), left);
        drop(held);
        sweep(place.path(), "tmp-");
        assert_eq!(names(place.path()), ["image.tmp-", "target", "tmp-link"]);
        assert!(sweep(&path("no/where"), "tmp-").is_empty());
    }

    #[test]
    fn what_a_process_holds_stays_however_close_a_sweep_is() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("tmp-new");
        for _ in 0..2000 {
            fs::create_dir(&path).unwrap();
            std::thread::scope(|scope| {
                let swept = scope.spawn(|| clear(&path));
                let held = hold(&path).unwrap();
                swept.join().unwrap();
                assert_eq!(held.is_some(), path.is_dir(), "held, and removed all the same");
            });
            fs::remove_dir(&path).ok(); // gone where the sweep came first
        }
    }

    #[test]
    fn who_is_swept_before_the_lock_is_told_so() {
        let place = tempfile::tempdir().unwrap();
        assert!(hold(&place.path().join("tmp-gone")).unwrap().is_none());
    }
}
