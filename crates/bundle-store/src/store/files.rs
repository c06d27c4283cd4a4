//! Files and folders, as the cache makes and removes them.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use crate::OciError;

/// Makes the folders that `path` is in.
pub(super) fn make_parents(path: &Path) -> Result<(), OciError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(OciError::storage("create the folder", parent))
}

/// Lets every user look into a folder.
pub(super) fn open_to_all(folder: &Path) -> Result<(), OciError> {
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder, mode).map_err(OciError::storage("open", folder))
}

/// What is not there is removed already.
pub(super) fn ignore_missing(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
