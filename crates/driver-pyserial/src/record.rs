//! The record of a line: everything it prints, with the time of each line, in a file that is cut into parts.

use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use console_record::Log;
use line_share::Take;
use rustix::fs::Access;

use crate::error::PortError;

/// Whether a file could be written, without making it. Blocks.
///
/// # Errors
/// Why not.
pub(crate) fn look(file: &Path) -> Result<(), PortError> {
    let system = |error: io::Error| unwritable(file, &error);
    let folder = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (place, access) = match fs::metadata(file) {
        Ok(about) if about.is_dir() => return Err(system(io::ErrorKind::IsADirectory.into())),
        Ok(_) => (file, Access::WRITE_OK),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(system(error)),
        Err(_) => match fs::metadata(folder).map_err(system)?.is_dir() {
            true => (folder, Access::WRITE_OK | Access::EXEC_OK),
            false => return Err(system(io::ErrorKind::NotADirectory.into())),
        },
    };
    rustix::fs::access(place, access).map_err(|error| system(error.into()))
}

/// Takes what a line prints.
#[derive(Debug)]
pub(crate) struct LineRecord(Log);

impl LineRecord {
    /// Records at the end of `file`; a new part begins once it has `part` bytes. Blocks.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn new(file: &Path, part: u64) -> Result<Self, PortError> {
        Log::open(file, Some(part)).map(Self).map_err(|error| unwritable(file, &error))
    }
}

impl Take for LineRecord {
    fn take(&self, piece: Bytes) {
        self.0.received(&piece);
    }
}

/// The error for a file that cannot be written.
pub(crate) fn unwritable(file: &Path, error: &io::Error) -> PortError {
    PortError::File { file: file.display().to_string(), reason: error.to_string() }
}
