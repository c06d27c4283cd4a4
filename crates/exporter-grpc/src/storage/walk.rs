//! What is in a folder: looked at, listed, removed. Works on open folders, never on paths that may change meanwhile.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// How uploads begin their temporary names; no listing shows them.
pub(super) const UPLOAD: &str = ".upload-";
/// Entries of one listing.
const ENTRIES: usize = 100_000;
/// Deepest folder that is listed or removed.
pub(super) const DEPTH: usize = 64;

/// What is known of a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryFacts {
    pub(crate) length: u64,
    pub(crate) is_folder: bool,
}

pub(super) fn facts(stat: &Stat) -> EntryFacts {
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    EntryFacts { length: u64::try_from(stat.st_size).unwrap_or(0), is_folder }
}

pub(super) fn facts_at(folder: &OwnedFd, name: &Path) -> Result<EntryFacts, Errno> {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| facts(&stat))
}

pub(super) fn missing_is_fine(done: Result<(), Errno>) -> io::Result<()> {
    match done {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn open_folder(folder: impl AsFd, name: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

/// Removes what is under `name`, at most `depth` folders deep; links are removed, not followed.
pub(super) fn remove_tree(folder: &OwnedFd, name: &Path, depth: usize) -> io::Result<()> {
    if !facts_at(folder, name).is_ok_and(|facts| facts.is_folder) {
        return missing_is_fine(rustix::fs::unlinkat(folder, name, AtFlags::empty()));
    }
    let inner = open_folder(folder, name)?;
    let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
    for entry in rustix::fs::Dir::read_from(&inner)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            remove_tree(&inner, Path::new(OsStr::from_bytes(entry.file_name().to_bytes())), depth)?;
        }
    }
    missing_is_fine(rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR))
}

/// Adds what is in a folder, and in those below it down to `depth`, each path behind `prefix`. Uploads are not shown.
pub(super) fn list_into(
    folder: &OwnedFd,
    prefix: &str,
    depth: usize,
    entries: &mut Vec<String>,
) -> io::Result<()> {
    let readable = open_folder(folder, Path::new("."))?;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(&readable)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !matches!(name.as_str(), "." | "..") && !name.starts_with(UPLOAD) {
            names.push(name);
        }
    }
    names.sort_unstable();
    for name in names {
        let is_folder = facts_at(&readable, Path::new(&name)).is_ok_and(|facts| facts.is_folder);
        let path = format!("{prefix}{name}{}", if is_folder { "/" } else { "" });
        entries.push(path.clone());
        if entries.len() > ENTRIES {
            return Err(io::Error::other("more than 100000 entries"));
        }
        if is_folder && depth > 0 {
            list_into(&open_folder(&readable, Path::new(&name))?, &path, depth - 1, entries)?;
        }
    }
    Ok(())
}

fn too_deep() -> io::Error {
    io::Error::other("folders nested deeper than 64")
}
