//! Where the hooks of one lease find the exporter: a socket in a folder of its own, which goes with the lease.

use std::io;
use std::path::{Path, PathBuf};

use exporter_grpc::{LeasedExporter, Listener};
use flasher_core::leftovers::{self, InUse};
use flasher_core::{Error, Result};
use tempfile::TempDir;

/// How the names of these folders begin.
const FOLDER: &str = "flasher-hooks-";

/// A folder with a socket. It goes when this is dropped; what a killed process left goes with the next one.
#[derive(Debug)]
pub(crate) struct HookPlace {
    folder: TempDir,
    _in_use: InUse,
}

impl HookPlace {
    /// Makes the folder and has `exporter` listen there.
    ///
    /// # Errors
    /// When there can be no folder or socket.
    pub(crate) fn new(exporter: &LeasedExporter) -> Result<Self> {
        let parent = std::env::temp_dir();
        leftovers::sweep(&parent, FOLDER);
        let make = || tempfile::Builder::new().prefix(FOLDER).tempdir_in(&parent);
        let failed = |error: io::Error| {
            Error::infrastructure("no folder can be made for the socket of the hooks").because(error)
        };
        let path = |folder: &TempDir| folder.path().to_owned();
        let (folder, in_use) = leftovers::made(make, path).map_err(failed)?;
        let place = Self { folder, _in_use: in_use };
        exporter.serve_hooks(Listener::unix(&place.socket())?);
        Ok(place)
    }

    /// The socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path().join("socket")
    }

    /// The file in which a hook may leave what users are to read first.
    pub(crate) fn motd(&self) -> PathBuf {
        self.path().join("motd")
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}
