//! Opens files below one folder and nowhere else.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use flasher_base::confine::{open_beneath, relative};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// Non-blocking, so that opening a FIFO below the root cannot hang; files ignore it.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// The path below the root that a client asks for by `name`: boot loaders write `/file` and `./file` for it. Slashes at the
/// beginning, doubled ones and `.` mean nothing; a name that ends in one of them is that of a folder, and ends in a slash.
pub fn requested(name: &[u8]) -> PathBuf {
    let is_word = |part: &&[u8]| !matches!(*part, b"" | b".");
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'/').collect();
    let mut path = parts.iter().copied().filter(is_word).collect::<Vec<_>>().join(&b'/');
    if !path.is_empty() && !parts.last().is_some_and(is_word) {
        path.push(b'/');
    }
    PathBuf::from(OsString::from_vec(path))
}

/// Opens the regular file `path` below `root`. Blocks on the disk.
///
/// # Errors
/// `NotFound` when there is none, or when `path` ends in a slash, `PermissionDenied` when it may not be read or lies outside `root` (by `..`, an absolute
/// path or a symbolic link), `IsADirectory` when it is anything but a regular file.
pub fn open(root: &Path, path: &Path) -> io::Result<File> {
    let names_folder = path.as_os_str().as_bytes().ends_with(b"/");
    let path = relative(path).map_err(|_| io::ErrorKind::PermissionDenied)?;
    let file = File::from(open_beneath(root, &path, FLAGS).map_err(plain)?);
    match file.metadata()?.is_file() {
        true if names_folder => Err(io::ErrorKind::NotFound.into()),
        true => Ok(file),
        false => Err(io::ErrorKind::IsADirectory.into()),
    }
}

fn plain(errno: Errno) -> io::Error {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::NXIO => io::ErrorKind::NotFound.into(),
        Errno::XDEV | Errno::LOOP | Errno::ACCESS | Errno::PERM => io::ErrorKind::PermissionDenied.into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::{IsADirectory, NotFound, PermissionDenied};
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, Mode};

    use super::*;

    #[test]
    fn only_regular_files_below_the_root_are_opened() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        std::fs::create_dir_all(root.join("sub/deep")).unwrap();
        std::fs::write(root.join("sub/file"), "x").unwrap();
        std::fs::write(place.path().join("secret"), "s").unwrap();
        symlink("sub/file", root.join("inside")).unwrap();
        symlink("../secret", root.join("outside")).unwrap();
        symlink(place.path().join("secret"), root.join("absolute")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let fifo = Mode::from_raw_mode(0o644);
        rustix::fs::mknodat(CWD, root.join("fifo"), rustix::fs::FileType::Fifo, fifo, 0).unwrap();
        let long = "n".repeat(600);
        let cases = [
            ("sub/file", None),
            ("inside", None),
            ("outside", Some(PermissionDenied)),
            ("absolute", Some(PermissionDenied)),
            ("up/secret", Some(PermissionDenied)),
            ("loop", Some(PermissionDenied)),
            ("../secret", Some(PermissionDenied)),
            ("sub/../../secret", Some(PermissionDenied)),
            ("/etc/passwd", Some(PermissionDenied)),
            ("..\\secret", Some(NotFound)),
            ("missing", Some(NotFound)),
            ("sub/file/", Some(NotFound)),
            ("inside/", Some(NotFound)),
            ("sub/", Some(IsADirectory)),
            ("sub/file/below", Some(NotFound)),
            (&long, Some(NotFound)),
            ("", Some(IsADirectory)),
            ("sub", Some(IsADirectory)),
            ("sub/deep", Some(IsADirectory)),
            ("fifo", Some(IsADirectory)),
        ];
        for (path, refused) in cases {
            let opened = open(&root, Path::new(path)).err().map(|error| error.kind());
            assert_eq!(opened, refused, "{path}");
        }
    }

    #[test]
    fn a_name_means_one_path_below_the_root() {
        for (name, expected) in [
            ("os.img", "os.img"),
            ("/os.img", "os.img"),
            ("./os.img", "os.img"),
            ("//a/.//b", "a/b"),
            ("os.img/", "os.img/"),
            ("os.img/.", "os.img/"),
            ("os.img//", "os.img/"),
            ("", ""),
            ("/", ""),
            ("./.", ""),
            ("../secret", "../secret"),
            ("a/../b", "a/../b"),
            (".hidden/..x", ".hidden/..x"),
        ] {
            assert_eq!(requested(name.as_bytes()), Path::new(expected), "{name}");
            assert_eq!(requested(name.as_bytes()).as_os_str(), expected, "{name}, to the letter");
        }
        assert_eq!(requested(b"/f\xff").as_os_str().as_bytes(), b"f\xff");
    }
}
