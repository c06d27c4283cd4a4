//! Stored bytes in a file or on a block device.

use std::fs::{File, FileType};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;
use std::sync::Arc;

use crate::Error;

/// A file or block device that must end at the length it had when it was opened first.
pub(crate) struct FileSource {
    label: String,
    file: Arc<File>,
    offset: u64,
    expected: u64,
}

impl FileSource {
    /// Opens `path`; `expected` is its length in bytes as seen earlier, else the one it has now.
    pub(crate) fn open(label: &str, path: &Path, expected: Option<u64>) -> Result<FileSource, Error> {
        let (file, length) = open_file(label, path)?;
        let (file, expected) = (Arc::new(file), expected.unwrap_or(length));
        Ok(FileSource { label: label.into(), file, offset: 0, expected })
    }

    /// Reads a file that is open already, from its beginning.
    pub(crate) fn of(label: &str, file: Arc<File>) -> Result<FileSource, Error> {
        let failed = |source| Error::Open { label: label.into(), source };
        let expected = file.metadata().map_err(failed)?.len();
        Ok(FileSource { label: label.into(), file, offset: 0, expected })
    }

    /// Its length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.expected
    }

    /// The open file.
    pub(crate) fn handle(&self) -> Arc<File> {
        self.file.clone()
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let count = self.read_some(buffer)?;
        self.offset += count as u64;
        let (label, offset, expected) = (self.label.clone(), self.offset, self.expected);
        if offset > expected {
            let (before, now) = (format!("{expected} bytes"), "longer".into());
            return Err(Error::Changed { label, before, now });
        }
        if count == 0 && offset < expected {
            return Err(Error::Short { label, offset, expected });
        }
        Ok(count)
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.file.read_at(buffer, self.offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Read { label: self.label.clone(), offset: self.offset, source });
                }
                Ok(count) => return Ok(count),
            }
        }
    }
}

/// Opens a file or block device and tells its length in bytes. Looks before it opens: opening a pipe would block.
pub(crate) fn open_file(label: &str, path: &Path) -> Result<(File, u64), Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing { label: label.into() },
        _ => Error::Open { label: label.into(), source },
    };
    let kind = std::fs::metadata(path).map_err(failed)?.file_type();
    if let Some(kind) = unreadable(kind) {
        return Err(Error::NotAFile { label: label.into(), kind });
    }
    let mut file = File::open(path).map_err(failed)?;
    let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok((file, length))
}

fn unreadable(kind: FileType) -> Option<&'static str> {
    match kind {
        _ if kind.is_file() || kind.is_block_device() => None,
        _ if kind.is_dir() => Some("a directory"),
        _ if kind.is_char_device() => Some("a character device"),
        _ if kind.is_fifo() => Some("a pipe"),
        _ => Some("a socket"),
    }
}
