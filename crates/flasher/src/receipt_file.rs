//! The receipt on disk: written whole or not there, and never one of an earlier run; and read within bounds.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flasher_core::leftovers::InUse;
use flasher_core::{Error, Receipt, Result};
use tempfile::NamedTempFile;

use crate::render::units::shown;
use crate::temporary;

/// Largest receipt that is read, bytes: 64 MiB hold the ranges of an image of several TiB.
const LARGEST: u64 = 64 * 1024 * 1024;

/// A place for a receipt, proven to be writable before anything is touched.
#[derive(Debug)]
pub(crate) struct ReceiptFile {
    path: PathBuf,
    unfinished: NamedTempFile,
    _in_use: InUse,
}

impl ReceiptFile {
    /// Makes a temporary file in the folder of `path` and removes the receipt of an earlier run: if this run dies, no
    /// old verdict is left that could pass for its own.
    ///
    /// # Errors
    /// When the folder cannot be written, or something else than a file has the name.
    pub(crate) fn prepare(path: &Path) -> Result<Self> {
        let (unfinished, in_use) =
            temporary::beside(path, temporary::RECEIPT).map_err(|error| refused(path, error))?;
        forget(path)?;
        Ok(Self { path: path.to_path_buf(), unfinished, _in_use: in_use })
    }

    /// Writes the receipt and gives the file its name in one step.
    ///
    /// # Errors
    /// When the disk is full or the folder is gone.
    pub(crate) fn write(mut self, receipt: &Receipt) -> Result<PathBuf> {
        let written = serde_json::to_string_pretty(receipt).map_err(io::Error::from).and_then(|json| {
            writeln!(self.unfinished, "{json}")?;
            self.unfinished.as_file().sync_all()
        });
        let failed = |error: io::Error| {
            Error::infrastructure(format!("cannot write the receipt `{}`", self.path.display()))
                .because(error)
        };
        written.map_err(failed)?;
        self.unfinished.persist(&self.path).map_err(|error| failed(error.error))?;
        Ok(self.path)
    }
}

/// Reads a receipt that `--receipt` kept. Blocks.
///
/// # Errors
/// Class config for a file that is none or cannot be read, class source for one that was changed; each names the file.
pub(crate) fn read(file: &Path) -> Result<Receipt> {
    let unreadable =
        |error: io::Error| Error::config(format!("cannot read the receipt `{}`", shown(file))).because(error);
    let mut bytes = Vec::new();
    let bounded = File::open(file).map(|file| file.take(LARGEST + 1));
    bounded.and_then(|mut file| file.read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Error::config(format!("`{}` is larger than any receipt", shown(file))));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| Error::config("it is no receipt").with("file", shown(file)).because(error))?;
    Receipt::read(&text).map_err(|error| error.with("file", shown(file)))
}

fn forget(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(refused(path, error)),
        Ok(metadata) if metadata.is_file() => fs::remove_file(path).map_err(|error| refused(path, error)),
        Ok(_) => Err(Error::config(format!("`{}` exists and is no regular file", path.display()))
            .help("name another file with `--receipt FILE`")),
    }
}

fn refused(path: &Path, error: io::Error) -> Error {
    Error::config(format!("no receipt can be kept as `{}`", path.display()))
        .help("name a file in a folder you may write with `--receipt FILE`")
        .because(error)
}
