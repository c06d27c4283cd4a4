//! Where in the folder of a cache everything is.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

use super::lock::{self, Guard, Mode};
use crate::{Digest, OciError, json_file};

/// How long another process may hold what this one needs.
const PATIENCE: Duration = Duration::from_secs(900);

/// The folder of a cache.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The cache in `dir`, which need not be there yet.
    pub(super) fn new(dir: PathBuf) -> Layout {
        Layout { dir }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file with the content of `digest`, as it came from a registry.
    pub(super) fn blob(&self, digest: Digest) -> PathBuf {
        self.dir.join("blobs/sha256").join(digest.to_string())
    }

    /// The folder of a bundle.
    pub(super) fn tree(&self, digest: Digest) -> PathBuf {
        self.dir.join("trees").join(digest.to_string())
    }

    /// Waits for a lock between processes.
    ///
    /// # Errors
    /// [`OciError::Busy`] when it is not to be had.
    pub(super) async fn lock(&self, name: &str, mode: Mode) -> Result<Guard, OciError> {
        let folder = self.folder("locks")?;
        lock::take(&folder.join(name), mode, PATIENCE).await
    }

    /// A folder of the cache, made when missing.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, OciError> {
        let folder = self.dir.join(name);
        fs::create_dir_all(&folder).map_err(OciError::storage("create the folder", &folder))?;
        Ok(folder)
    }

    /// What must be in a bundle.
    pub(super) fn record(&self, digest: Digest) -> PathBuf {
        self.dir.join("trees").join(format!("{digest}.json"))
    }

    /// Writes a JSON file of the cache, whole or not at all.
    pub(super) fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<(), OciError> {
        json_file::write(path, &self.folder("tmp")?, value)
    }
}

/// Runs file work off the runtime.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OciError> + Send + 'static,
) -> Result<T, OciError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|fault| {
        let source = std::io::Error::other(fault);
        Err(OciError::Storage { action: "finish the work in", path: "the cache".into(), source })
    })
}
