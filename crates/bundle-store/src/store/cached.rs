//! A bundle in the cache, and copies of it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::{
    files::{make_parents, open_to_all},
    lock::Guard,
};
use crate::{Digest, OciError};

/// A bundle in the cache. `gc` of any process leaves it alone while this value lives.
#[derive(Debug)]
pub struct Cached {
    /// The folder with its files. They are shared: not to be written.
    pub dir: PathBuf,
    /// Digest of its manifest in the registry.
    pub digest: Digest,
    /// What the user should know: the registry was out of reach, a tag has moved, a damaged file was fetched again.
    pub warnings: Vec<String>,
    /// Bytes that were downloaded for it just now.
    pub downloaded: u64,
    pub(super) files: BTreeMap<String, Digest>,
    pub(super) _used: Guard,
}

impl Cached {
    /// Digest of each of its files, by path.
    pub fn files(&self) -> &BTreeMap<String, Digest> {
        &self.files
    }
}

/// Copies a bundle of the cache to `to`, which must not be there or be empty: aside first, then renamed. Blocks.
///
/// # Errors
/// [`OciError::Folder`] when there is something already; [`OciError::Storage`].
pub fn export(cached: &Cached, to: &Path) -> Result<(), OciError> {
    if to.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || to.is_file() {
        let reason = "is there already; name a folder that is not there yet, or an empty one".into();
        return Err(OciError::Folder { path: to.into(), reason });
    }
    let absolute = std::path::absolute(to).map_err(OciError::storage("find", to))?;
    let beside: PathBuf = absolute.parent().unwrap_or(&absolute).to_owned();
    make_parents(&absolute)?;
    let making =
        tempfile::TempDir::new_in(&beside).map_err(OciError::storage("create a folder in", &beside))?;
    open_to_all(making.path())?;
    for (path, expected) in cached.files() {
        let (from, new) = (cached.dir.join(path), making.path().join(path));
        make_parents(&new)?;
        fs::copy(&from, &new).map_err(OciError::storage("write", &new))?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644))
            .map_err(OciError::storage("write", &new))?;
        let (_, found) = crate::digest::of_file(&new).map_err(OciError::storage("read", &new))?;
        if found != *expected {
            return Err(OciError::Digest {
                what: format!("the cached file `{path}`"),
                expected: *expected,
                found,
            });
        }
    }
    fs::rename(making.path(), to).map_err(OciError::storage("create", to))
}
