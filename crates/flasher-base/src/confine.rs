//! Paths that others give, which must not leave a folder: by `..`, from the root, or through a symbolic link.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Why a path leads out of the folder that it is meant below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// It begins at the root of the machine.
    Absolute,
    /// It has `..` in it.
    Upwards,
}

/// `path` without `.` and doubled slashes; empty for the folder itself. Looks at the words only, not at links.
///
/// # Errors
/// When it is absolute or has `..` in it, even where that would lead back inside.
pub fn relative(path: &Path) -> Result<PathBuf, Outside> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            Component::ParentDir => return Err(Outside::Upwards),
            Component::RootDir | Component::Prefix(_) => return Err(Outside::Absolute),
        }
    }
    Ok(clean)
}

/// Opens `path` below the folder `root`, also through links as long as they stay inside; an empty path is the folder
/// itself. Nothing is made. Blocks on the disk.
///
/// # Errors
/// `XDEV` or `LOOP` when it leads out; else what the system says.
pub fn open_beneath(root: &Path, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let folder = folder(root)?;
    match retry(|| rustix::fs::openat2(&folder, path, flags, Mode::empty(), resolve)) {
        // Kernels before 5.6 lack openat2, and some container runtimes forbid what they do not know.
        Err(Errno::NOSYS | Errno::PERM) => open_resolved(root, path, flags),
        opened => opened,
    }
}

/// openat2 gives EAGAIN when something below the root is renamed meanwhile.
fn retry(mut open: impl FnMut() -> Result<OwnedFd, Errno>) -> Result<OwnedFd, Errno> {
    for _ in 0..16 {
        match open() {
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => return opened,
        }
    }
    open()
}

fn folder(root: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Without openat2: looks where the links lead, then goes there without following any, so that one that is exchanged
/// meanwhile is refused.
fn open_resolved(root: &Path, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    let root = root.canonicalize().map_err(errno)?;
    let file = root.join(path).canonicalize().map_err(errno)?;
    let inside = file.strip_prefix(&root).map_err(|_| Errno::XDEV)?;
    let inside = if inside.as_os_str().is_empty() { Path::new(".") } else { inside };
    step_by_step(folder(&root)?, inside, flags)
}

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
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with files, and links that stay inside and that do not.
    fn place() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        fs::create_dir_all(root.join("sub/deep")).unwrap();
        fs::write(root.join("sub/file"), "x").unwrap();
        fs::write(place.path().join("secret"), "s").unwrap();
        symlink("sub/file", root.join("inside")).unwrap();
        symlink("sub", root.join("folder")).unwrap();
        symlink("../secret", root.join("outside")).unwrap();
        symlink(place.path().join("secret"), root.join("absolute")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        (place, root)
    }

    #[test]
    fn only_what_is_below_the_folder_is_opened() {
        let (_place, root) = place();
        let cases = [
            ("sub/file", None),
            ("inside", None),
            ("folder/file", None),
            ("", None),
            ("sub/deep", None),
            ("outside", Some([Errno::XDEV, Errno::XDEV])),
            ("absolute", Some([Errno::XDEV, Errno::XDEV])),
            ("up/secret", Some([Errno::XDEV, Errno::XDEV])),
            ("loop", Some([Errno::LOOP, Errno::LOOP])),
            ("missing", Some([Errno::NOENT, Errno::NOENT])),
            ("sub/file/below", Some([Errno::NOTDIR, Errno::NOTDIR])),
        ];
        for (path, refused) in cases {
            let path = Path::new(path);
            let opened = open_beneath(&root, path, OFlags::RDONLY).err();
            let resolved = open_resolved(&root, path, OFlags::RDONLY | OFlags::CLOEXEC).err();
            assert_eq!(
                [opened, resolved].map(|it| it),
                refused.map_or([None; 2], |it| it.map(Some)),
                "{path:?}"
            );
        }
    }

    #[test]
    fn a_link_that_appears_meanwhile_is_not_followed() {
        let (_place, root) = place();
        for path in ["inside", "folder/file", "outside", "up/secret"] {
            let opened = step_by_step(folder(&root).unwrap(), Path::new(path), OFlags::RDONLY);
            assert!(matches!(opened, Err(Errno::LOOP | Errno::NOTDIR)), "{path}: {opened:?}");
        }
    }

    #[test]
    fn words_that_lead_out_are_known_without_looking() {
        let cases = [
            ("a/b", Ok("a/b")),
            ("./a//b/.", Ok("a/b")),
            ("", Ok("")),
            ("/etc/passwd", Err(Outside::Absolute)),
            ("/", Err(Outside::Absolute)),
            ("../a", Err(Outside::Upwards)),
            ("a/../a", Err(Outside::Upwards)),
            ("..", Err(Outside::Upwards)),
        ];
        for (path, expected) in cases {
            assert_eq!(relative(Path::new(path)), expected.map(PathBuf::from), "{path}");
        }
    }
}
