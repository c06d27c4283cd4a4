//! Files that clients have open, by handle.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::root::Upload;
use crate::failure::{CallFailure, CallResult};

/// Handles one connection may have, open or closed.
const MOST: usize = 1024;

/// The handles of one storage.
#[derive(Debug, Default)]
pub(crate) struct Files(Mutex<HashMap<Uuid, OpenEntry>>);

#[derive(Clone, Debug)]
struct OpenEntry {
    connection: u64,
    path: String,
    open: Arc<Mutex<Open>>,
}

/// What is behind a handle.
#[derive(Debug)]
pub(crate) enum Open {
    Reading(File),
    Writing(Upload),
    Closed { wrote: bool },
}

impl Open {
    pub(crate) fn file(&mut self) -> io::Result<&mut File> {
        match self {
            Self::Reading(file) => Ok(file),
            Self::Writing(upload) => Ok(&mut upload.file),
            Self::Closed { .. } => Err(io::Error::other("the file is closed")),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }

    pub(crate) fn is_written(&self) -> bool {
        matches!(self, Self::Writing(_) | Self::Closed { wrote: true })
    }

    /// Moves, counting from the start (0), from here (1) or from the end (2); gives where it is then.
    pub(crate) fn seek(&mut self, offset: i64, whence: i64) -> io::Result<u64> {
        let to = match whence {
            0 => SeekFrom::Start(
                u64::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
            ),
            1 => SeekFrom::Current(offset),
            _ => SeekFrom::End(offset),
        };
        self.file()?.seek(to)
    }

    /// Closes; what was written appears under its name. Closing twice is no error.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        let wrote = self.is_written();
        match std::mem::replace(self, Self::Closed { wrote }) {
            Self::Writing(upload) => upload.keep(),
            _ => Ok(()),
        }
    }
}

/// An open file and the path the client gave for it.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) path: String,
    open: Arc<Mutex<Open>>,
}

impl Handle {
    /// The file, once no other call uses it. Blocks.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    /// A new handle of `connection`.
    pub(crate) fn add(&self, connection: u64, path: &str, open: Open) -> CallResult<Uuid> {
        let mut files = self.table();
        if files.values().filter(|entry| entry.connection == connection).count() >= MOST {
            return Err(CallFailure::too_much(format!(
                "this connection has opened {MOST} files; begin another one"
            )));
        }
        let id = Uuid::new_v4();
        files.insert(id, OpenEntry { connection, path: path.to_owned(), open: Arc::new(Mutex::new(open)) });
        Ok(id)
    }

    /// The file of a handle of the same connection.
    pub(crate) fn get(&self, connection: u64, id: &str) -> CallResult<Handle> {
        let id = Uuid::try_parse(id)
            .map_err(|_| CallFailure::argument(format!("`{}` is no file handle", short(id))))?;
        let files = self.table();
        let entry = files.get(&id).filter(|entry| entry.connection == connection);
        let entry =
            entry.ok_or_else(|| CallFailure::argument(format!("no file is open under the handle `{id}`")))?;
        Ok(Handle { path: entry.path.clone(), open: Arc::clone(&entry.open) })
    }

    /// Forgets the handles of a connection; what was being written leaves nothing.
    pub(crate) fn release(&self, connection: u64) {
        self.table().retain(|_, entry| entry.connection != connection);
    }

    fn table(&self) -> MutexGuard<'_, HashMap<Uuid, OpenEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's word, short enough for a message.
pub(crate) fn short(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
