//! Paths of clients, and opening them without ever leaving a folder.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use flasher_base::confine::{open_beneath, relative};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// Longest path a client may give, bytes.
const LONGEST: usize = 4096;

/// The path as it is meant below the root; the root itself is empty.
///
/// # Errors
/// `InvalidInput` when it leads out, is too long, or has a zero byte.
pub(crate) fn clean(path: &str) -> io::Result<PathBuf> {
    if path.len() > LONGEST || path.contains('\0') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "expected a path of at most 4096 bytes without zero bytes",
        ));
    }
    relative(Path::new(path.trim_start_matches('/'))).map_err(|_| outside())
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it leads out of the folder that clients may use")
}

/// Opens `path` below the folder `root`; links are followed as long as they stay inside.
///
/// # Errors
/// `InvalidInput` when it leads out.
pub(super) fn open(root: &Path, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    match open_beneath(root, path, flags) {
        Err(Errno::XDEV | Errno::LOOP) => Err(outside()),
        Err(Errno::NOTDIR) if !flags.contains(OFlags::DIRECTORY) => Err(io::ErrorKind::NotFound.into()),
        opened => Ok(opened?),
    }
}
