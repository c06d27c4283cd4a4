//! Locks between processes: `flock` on files that hold nothing. The system lets go when a process ends, however it ends.

use std::{
    fs::{File, OpenOptions},
    path::Path,
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};

use crate::OciError;

const POLL: Duration = Duration::from_millis(20);

/// A lock that is held until dropped.
#[derive(Debug)]
pub(super) struct Guard {
    _file: File,
}

/// Who else may hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Shared,
    Exclusive,
}

/// Waits for the lock on `path`.
///
/// # Errors
/// [`OciError::Busy`] when it is not to be had within `patience`.
pub(super) async fn take(path: &Path, mode: Mode, patience: Duration) -> Result<Guard, OciError> {
    let begun = Instant::now();
    loop {
        if let Some(guard) = try_take(path, mode)? {
            return Ok(guard);
        }
        if begun.elapsed() >= patience {
            return Err(OciError::Busy { path: path.into(), seconds: patience.as_secs() });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The lock if it is free.
pub(super) fn try_take(path: &Path, mode: Mode) -> Result<Option<Guard>, OciError> {
    let failed = || OciError::storage("lock", path);
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = open.map_err(failed())?;
    let operation = match mode {
        Mode::Shared => FlockOperation::NonBlockingLockShared,
        Mode::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    match flock(&file, operation) {
        Ok(()) => Ok(Some(Guard { _file: file })),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(fault) => Err(failed()(fault.into())),
    }
}
