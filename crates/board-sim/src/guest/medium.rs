//! The file that is the medium: made, sized, and put within the guest's reach.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::safety;
use crate::error::SimError;

/// The medium while the board is on. Dropping it gives the file back to its owner.
#[derive(Debug)]
pub(crate) struct Medium {
    reachable: PathBuf,
    original: PathBuf,
    bytes: u64,
    owner: Option<(u32, u32)>,
}

impl Medium {
    /// Whether `medium` can be one: a regular file, or nothing yet. Never a device.
    pub(crate) fn check(medium: &Path) -> Result<(), SimError> {
        match fs::metadata(medium) {
            Ok(meta) if !meta.is_file() => {
                Err(SimError::Config(format!("the medium `{}` is not a regular file", medium.display())))
            }
            Ok(_) if safety::is_root() => reach_or_link(medium),
            _ => Ok(()),
        }
    }

    /// Makes the file when it is missing, extends it when it is smaller than `size`, and makes it usable by the guest
    /// from within `folder`.
    pub(crate) fn open(medium: &Path, size: u64, folder: &Path) -> Result<Self, SimError> {
        Self::check(medium)?;
        let bytes = create(medium, size)?;
        let original = medium.canonicalize().map_err(SimError::file("find", medium))?;
        if let Some(folder) = safety::closed_folder(folder).filter(|_| safety::is_root()) {
            return Err(SimError::Unreachable { medium: original, folder });
        }
        let reachable = if medium.starts_with(folder) { medium.to_owned() } else { link(&original, folder)? };
        let owner = safety::is_root().then(|| fs::metadata(&original)).transpose();
        let owner = owner.map_err(SimError::file("look at", &original))?.map(|meta| (meta.uid(), meta.gid()));
        if owner.is_some() {
            chown(&original, Some(safety::NOBODY), Some(safety::NOBODY))
                .map_err(SimError::file("change the owner of", &original))?;
        }
        Ok(Self { reachable, original, bytes, owner })
    }

    /// Its size.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the guest reaches it.
    pub(crate) fn path(&self) -> &Path {
        &self.reachable
    }
}

impl Drop for Medium {
    fn drop(&mut self) {
        if let Some((user, group)) = self.owner {
            // A medium that was deleted meanwhile needs no owner.
            chown(&self.original, Some(user), Some(group)).ok();
        }
    }
}

/// Makes or extends the file; gives its size.
fn create(medium: &Path, size: u64) -> Result<u64, SimError> {
    if let Some(folder) = medium.parent() {
        fs::create_dir_all(folder).map_err(SimError::file("make the folder", folder))?;
    }
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(medium);
    let file: File = file.map_err(SimError::file("open the medium", medium))?;
    let meta = file.metadata().map_err(SimError::file("look at", medium))?;
    if meta.len() < size {
        file.set_len(size).map_err(SimError::file("extend", medium))?;
    }
    Ok(meta.len().max(size))
}

/// A second name for the medium inside the board's folder: the guest needs no way through the medium's own folders.
fn link(original: &Path, folder: &Path) -> Result<PathBuf, SimError> {
    let name = folder.join("medium.img");
    if fs::symlink_metadata(&name).is_ok() {
        fs::remove_file(&name).map_err(SimError::file("remove", &name))?;
    }
    if safety::is_root() && fs::hard_link(original, &name).is_ok() {
        return Ok(name);
    }
    if let Some(closed) = safety::closed_folder(original).filter(|_| safety::is_root()) {
        return Err(SimError::Unreachable { medium: original.to_owned(), folder: closed });
    }
    symlink(original, &name).map_err(SimError::file("make the link", &name))?;
    Ok(name)
}

/// The guest reaches the medium through its folders, or through a second name on the same file system.
fn reach_or_link(medium: &Path) -> Result<(), SimError> {
    let medium = medium.canonicalize().map_err(SimError::file("find", medium))?;
    let temporary = std::env::temp_dir();
    let same = |a: &Path, b: &Path| Some(fs::metadata(a).ok()?.dev() == fs::metadata(b).ok()?.dev());
    match safety::closed_folder(&medium) {
        Some(folder) if same(&medium, &temporary) != Some(true) => {
            Err(SimError::Unreachable { medium, folder })
        }
        _ => Ok(()),
    }
}
