//! Paths of clients, and opening them without ever leaving a folder.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
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
    let mut clean = PathBuf::new();
    for part in Path::new(path.trim_start_matches('/')).components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            _ => return Err(outside()),
        }
    }
    Ok(clean)
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it leads out of the folder that clients may use")
}

/// Opens `path` below the folder `root`; links are followed as long as they stay inside.
///
/// # Errors
/// `InvalidInput` when it leads out.
pub(super) fn open(root: &Path, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC;
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, root, folder, Mode::empty())?;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    match beneath(&root, path, flags) {
        // Kernels before 5.6 lack openat2, and some container runtimes forbid what they do not know.
        Err(Errno::NOSYS | Errno::PERM) => Ok(step_by_step(root, path, flags)?),
        Err(Errno::XDEV | Errno::LOOP) => Err(outside()),
        Err(Errno::NOTDIR) if !flags.contains(OFlags::DIRECTORY) => Err(io::ErrorKind::NotFound.into()),
        opened => Ok(opened?),
    }
}

fn beneath(root: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    // openat2 gives EAGAIN when something below the root is renamed meanwhile.
    for _ in 0..16 {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => return opened,
        }
    }
    rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)
}

/// Without openat2: no links at all.
fn step_by_step(root: OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut folder = root;
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        let more = parts.peek().is_some();
        let flags = if more { OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC } else { flags };
        folder = rustix::fs::openat(&folder, part.as_os_str(), flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn without_openat2_no_link_is_followed() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(root.join("sub/file"), "inside").unwrap();
        std::fs::write(place.path().join("secret"), "s").unwrap();
        symlink("sub/file", root.join("link")).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink("..", root.join("up")).unwrap();
        let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY;
        let open = || rustix::fs::openat(CWD, &root, flags, Mode::empty()).unwrap();
        assert!(step_by_step(open(), Path::new("sub/file"), OFlags::RDONLY).is_ok());
        for path in ["link", "up/secret", "out"] {
            assert!(step_by_step(open(), Path::new(path), OFlags::RDONLY).is_err(), "{path}");
        }
    }
}
