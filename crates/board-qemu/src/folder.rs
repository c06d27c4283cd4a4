//! The board's own folder: its sockets, and what QEMU prints.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use flasher_core::leftovers::{self, InUse};
use tempfile::TempDir;

use crate::arguments;
use crate::config::Config;
use crate::error::QemuError;
use crate::host;

/// A temporary folder, removed when it is dropped, or by the next board when its process was killed.
#[derive(Debug)]
pub(crate) struct TemporaryFolder {
    made: TempDir,
    _in_use: InUse,
}

impl TemporaryFolder {
    fn make() -> std::io::Result<Self> {
        leftovers::sweep(&std::env::temp_dir(), PREFIX);
        let make = || tempfile::Builder::new().prefix(PREFIX).tempdir();
        let (made, in_use) = leftovers::made(make, |folder| folder.path().to_owned())?;
        Ok(Self { made, _in_use: in_use })
    }

    pub(crate) fn path(&self) -> &Path {
        self.made.path()
    }
}

/// How the names of the boards' temporary folders begin.
const PREFIX: &str = "qemu-board-";

/// The board's own folder, with nothing of the last power cycle in it, and the files the config names.
pub(crate) fn prepare(
    config: &Config,
    kept: Option<Arc<TemporaryFolder>>,
) -> Result<Arc<TemporaryFolder>, QemuError> {
    host::prepare(config)?;
    let folder = match kept {
        Some(folder) => folder,
        None => Arc::new(
            TemporaryFolder::make().map_err(QemuError::file("make a folder in", std::env::temp_dir()))?,
        ),
    };
    if let Some(rules) = config.disk.as_ref().and_then(|disk| disk.blkdebug.as_ref()) {
        let path = folder.path().join(arguments::BLKDEBUG);
        fs::write(&path, rules).map_err(QemuError::file("write", path))?;
    }
    for name in [arguments::SERIAL, arguments::MONITOR] {
        // Not there at the first power on; a socket that stays makes `listen` fail, with its name.
        fs::remove_file(folder.path().join(name)).ok();
    }
    Ok(folder)
}
