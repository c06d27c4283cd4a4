//! Who the guest is, and what it must never reach.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, lchown};
use std::path::{Path, PathBuf};

use crate::error::SimError;

/// User and group of the guest when this program runs as root: nobody.
pub(crate) const NOBODY: u32 = 65_534;

/// Whether the guest has to become another user.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes the guest the owner of a file or folder of the board.
pub(crate) fn give_to_guest(path: &Path) -> Result<(), SimError> {
    if is_root() {
        lchown(path, Some(NOBODY), Some(NOBODY)).map_err(SimError::file("change the owner of", path))?;
    }
    Ok(())
}

/// Makes the guest the owner of everything below a folder, itself included.
pub(crate) fn give_tree_to_guest(folder: &Path) -> Result<(), SimError> {
    if !is_root() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(SimError::file("read", folder))? {
        let entry = entry.map_err(SimError::file("read", folder))?;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => give_tree_to_guest(&entry.path())?,
            _ => give_to_guest(&entry.path())?,
        }
    }
    give_to_guest(folder)
}

/// The first folder above `path` that the guest cannot enter.
pub(crate) fn closed_folder(path: &Path) -> Option<PathBuf> {
    let enterable = |folder: &Path| {
        fs::metadata(folder)
            .is_ok_and(|meta| meta.mode() & 0o001 != 0 || (meta.uid() == NOBODY && meta.mode() & 0o100 != 0))
    };
    let closed = |folder: &&Path| !folder.as_os_str().is_empty() && !enterable(folder);
    path.ancestors().skip(1).find(closed).map(Path::to_owned)
}

/// The guest's user must not be able to write to a block device of this machine, whatever commands it gets.
pub(crate) fn no_real_device_is_writable() -> Result<(), SimError> {
    let writable = |path: &Path| {
        let Ok(meta) = fs::metadata(path) else { return false };
        let can_write = if is_root() {
            meta.mode() & 0o002 != 0 || (meta.uid() == NOBODY) || (meta.gid() == NOBODY)
        } else {
            rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
        };
        meta.file_type().is_block_device() && can_write
    };
    // A desktop user may write to the optical drive; `dd` cannot write to a disc.
    let optical = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sr"));
    for folder in ["/dev", "/dev/mapper", "/dev/block"] {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let mut paths = entries.flatten().map(|entry| entry.path());
        if let Some(path) = paths.find(|path| !optical(path) && writable(path)) {
            return Err(SimError::RealDevice(path));
        }
    }
    Ok(())
}
