//! File operations below one folder and nowhere else: no `..`, no absolute path, no symbolic link that leads out.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

/// Longest path a client may give, bytes.
const LONGEST: usize = 4096;
/// Entries of one listing.
const ENTRIES: usize = 100_000;
/// Deepest folder that is listed or removed.
const DEPTH: usize = 64;
/// How uploads begin their temporary names; no listing shows them.
const UPLOAD: &str = ".upload-";

/// A folder that clients may use.
#[derive(Clone, Debug)]
pub(crate) struct Root(PathBuf);

/// A file being written under a name of its own, which it takes when it is whole.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) file: File,
    folder: OwnedFd,
    temporary: String,
    name: PathBuf,
    kept: bool,
}

/// What is known of a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) length: u64,
    pub(crate) is_folder: bool,
}

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

impl Root {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where a file is on this machine, for those that read it by themselves.
    ///
    /// # Errors
    /// When it is no regular file below the root.
    pub(crate) fn locate(&self, path: &str) -> io::Result<PathBuf> {
        self.open(path)?;
        Ok(self.0.join(clean(path)?))
    }

    /// Opens a regular file to read.
    pub(crate) fn open(&self, path: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(self.beneath(&clean(path)?, flags)?);
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// Begins a file, and the folders above it. Nothing is there under its name before [`Upload::keep`].
    pub(crate) fn create(&self, path: &str) -> io::Result<Upload> {
        let (folder, name) = self.parent(&clean(path)?, true)?;
        if facts_at(&folder, &name).is_ok_and(|facts| facts.is_folder) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let temporary = format!("{UPLOAD}{}", uuid::Uuid::new_v4());
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, &temporary, flags, Mode::from_raw_mode(0o644))?;
        Ok(Upload { file: File::from(file), folder, temporary, name, kept: false })
    }

    /// What `path` is; links are followed as long as they stay inside.
    pub(crate) fn facts(&self, path: &str) -> io::Result<Facts> {
        let path = clean(path)?;
        let found = self.beneath(&path, OFlags::PATH)?;
        Ok(facts(&rustix::fs::fstat(found)?))
    }

    pub(crate) fn exists(&self, path: &str) -> io::Result<bool> {
        match self.facts(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn create_folder(&self, path: &str) -> io::Result<()> {
        self.folder(&clean(path)?, true).map(drop)
    }

    /// Removes a file or an empty folder; one that is missing is as good as removed.
    pub(crate) fn delete(&self, path: &str) -> io::Result<()> {
        let Some((folder, name)) = self.place(path)? else { return Ok(()) };
        let removed = match facts_at(&folder, &name) {
            Ok(Facts { is_folder: true, .. }) => rustix::fs::unlinkat(&folder, &name, AtFlags::REMOVEDIR),
            _ => rustix::fs::unlinkat(&folder, &name, AtFlags::empty()),
        };
        missing_is_fine(removed)
    }

    /// Removes a file, or a folder with all it holds.
    pub(crate) fn remove_all(&self, path: &str) -> io::Result<()> {
        match self.place(path)? {
            Some((folder, name)) => remove_tree(&folder, &name, DEPTH),
            None => Ok(()),
        }
    }

    pub(crate) fn rename(&self, source: &str, target: &str) -> io::Result<()> {
        let (from, old) = self.parent(&clean(source)?, false)?;
        facts_at(&from, &old)?;
        let (to, new) = self.parent(&clean(target)?, true)?;
        Ok(rustix::fs::renameat(&from, &old, &to, &new)?)
    }

    /// Copies a file; the copy appears when it is whole.
    pub(crate) fn copy(&self, source: &str, target: &str) -> io::Result<()> {
        let mut from = self.open(source)?;
        let mut upload = self.create(target)?;
        io::copy(&mut from, &mut upload.file)?;
        upload.keep()
    }

    /// The folder itself and what is in it, also deeper when `deep`; folders end in `/`, and the root is `/`.
    pub(crate) fn list(&self, path: &str, deep: bool) -> io::Result<Vec<String>> {
        let path = clean(path)?;
        let found = match self.beneath(&path, OFlags::PATH) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let name = path.to_string_lossy().into_owned();
        if !facts(&rustix::fs::fstat(&found)?).is_folder {
            return Ok(vec![name]);
        }
        let prefix = if name.is_empty() { String::new() } else { format!("{name}/") };
        let mut entries = vec![if prefix.is_empty() { "/".to_owned() } else { prefix.clone() }];
        list_into(&found, &prefix, if deep { DEPTH } else { 0 }, &mut entries)?;
        Ok(entries)
    }

    /// The folder that holds `path`, and its name in there; none when that folder is missing.
    fn place(&self, path: &str) -> io::Result<Option<(OwnedFd, PathBuf)>> {
        match self.parent(&clean(path)?, false) {
            Ok(place) => Ok(Some(place)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parent(&self, path: &Path, make: bool) -> io::Result<(OwnedFd, PathBuf)> {
        let Some(name) = path.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is the folder itself"));
        };
        let folder = self.folder(path.parent().unwrap_or(Path::new("")), make)?;
        Ok((folder, name.into()))
    }

    /// A folder below the root, made with those above it when `make`.
    fn folder(&self, path: &Path, make: bool) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        match self.beneath(path, flags) {
            Err(error) if make && error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        std::fs::create_dir_all(&self.0)?;
        let mut whole = PathBuf::new();
        for part in path {
            let above = self.beneath(&whole, flags)?;
            match rustix::fs::mkdirat(&above, part, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => whole.push(part),
                Err(error) => return Err(error.into()),
            }
        }
        self.beneath(path, flags)
    }

    /// Opens `path` without ever leaving the root.
    fn beneath(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        let root = rustix::fs::openat(
            CWD,
            &self.0,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        match beneath(&root, path, flags) {
            // Kernels before 5.6 lack openat2, and some container runtimes forbid what they do not know.
            Err(Errno::NOSYS | Errno::PERM) => Ok(step_by_step(root, path, flags)?),
            Err(Errno::XDEV | Errno::LOOP) => Err(outside()),
            Err(Errno::NOTDIR) if !flags.contains(OFlags::DIRECTORY) => Err(io::ErrorKind::NotFound.into()),
            opened => Ok(opened?),
        }
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

impl Upload {
    /// Gives the file its name, in one move.
    pub(crate) fn keep(mut self) -> io::Result<()> {
        rustix::fs::renameat(&self.folder, &self.temporary, &self.folder, &self.name)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed stays under a name that no listing shows.
            rustix::fs::unlinkat(&self.folder, &self.temporary, AtFlags::empty()).ok();
        }
    }
}

fn facts(stat: &Stat) -> Facts {
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    Facts { length: u64::try_from(stat.st_size).unwrap_or(0), is_folder }
}

fn facts_at(folder: &OwnedFd, name: &Path) -> Result<Facts, Errno> {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| facts(&stat))
}

fn missing_is_fine(done: Result<(), Errno>) -> io::Result<()> {
    match done {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn open_folder(folder: impl AsFd, name: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

fn remove_tree(folder: &OwnedFd, name: &Path, depth: usize) -> io::Result<()> {
    if !facts_at(folder, name).is_ok_and(|facts| facts.is_folder) {
        return missing_is_fine(rustix::fs::unlinkat(folder, name, AtFlags::empty()));
    }
    let inner = open_folder(folder, name)?;
    let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
    for entry in rustix::fs::Dir::read_from(&inner)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            remove_tree(&inner, Path::new(OsStr::from_bytes(entry.file_name().to_bytes())), depth)?;
        }
    }
    missing_is_fine(rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR))
}

fn list_into(folder: &OwnedFd, prefix: &str, depth: usize, entries: &mut Vec<String>) -> io::Result<()> {
    let readable = open_folder(folder, Path::new("."))?;
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(&readable)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !matches!(name.as_str(), "." | "..") && !name.starts_with(UPLOAD) {
            names.push(name);
        }
    }
    names.sort_unstable();
    for name in names {
        let is_folder = facts_at(&readable, Path::new(&name)).is_ok_and(|facts| facts.is_folder);
        let path = format!("{prefix}{name}{}", if is_folder { "/" } else { "" });
        entries.push(path.clone());
        if entries.len() > ENTRIES {
            return Err(io::Error::other("more than 100000 entries"));
        }
        if is_folder && depth > 0 {
            list_into(&open_folder(&readable, Path::new(&name))?, &path, depth - 1, entries)?;
        }
    }
    Ok(())
}

fn too_deep() -> io::Error {
    io::Error::other("folders nested deeper than 64")
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::{InvalidInput, IsADirectory, NotFound};
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    fn place() -> (tempfile::TempDir, Root) {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        std::fs::create_dir_all(root.join("sub/deep")).unwrap();
        std::fs::write(root.join("sub/file"), "inside").unwrap();
        std::fs::write(place.path().join("secret"), "s").unwrap();
        symlink("sub/file", root.join("link")).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink("..", root.join("up")).unwrap();
        (place, Root::new(root))
    }

    #[test]
    fn only_what_is_inside_can_be_read() {
        let (_place, root) = place();
        let cases = [
            ("sub/file", None),
            ("/sub/./file", None),
            ("link", None),
            ("out", Some(InvalidInput)),
            ("up/secret", Some(InvalidInput)),
            ("../secret", Some(InvalidInput)),
            ("/../secret", Some(InvalidInput)),
            ("sub/../../secret", Some(InvalidInput)),
            ("a\0b", Some(InvalidInput)),
            ("missing", Some(NotFound)),
            ("sub/file/below", Some(NotFound)),
            ("sub", Some(IsADirectory)),
            ("", Some(IsADirectory)),
        ];
        for (path, refused) in cases {
            assert_eq!(root.open(path).err().map(|error| error.kind()), refused, "{path:?}");
        }
        let huge = "x/".repeat(4000);
        assert_eq!(root.open(&huge).unwrap_err().kind(), InvalidInput);
    }

    #[test]
    fn nothing_outside_can_be_written_or_removed() {
        let (place, root) = place();
        let outside = ["../new", "up/new", "/../../new"];
        for path in outside {
            assert!(root.create(path).is_err(), "{path}");
            assert!(root.create_folder(path).is_err(), "{path}");
            assert!(root.delete(path).is_err(), "{path}");
            assert!(root.remove_all(path).is_err(), "{path}");
            assert!(root.rename("sub/file", path).is_err(), "{path}");
            assert!(root.rename(path, "sub/new").is_err(), "{path}");
            assert!(root.copy("sub/file", path).is_err(), "{path}");
        }
        assert!(root.remove_all("/").is_err(), "the root itself stays");
        // A link is removed, not what it leads to.
        root.remove_all("up").unwrap();
        root.delete("out").unwrap();
        assert_eq!(std::fs::read(place.path().join("secret")).unwrap(), b"s");
        assert_eq!(root.list("/", true).unwrap(), ["/", "link", "sub/", "sub/deep/", "sub/file"]);
    }

    #[test]
    fn an_upload_appears_when_it_is_whole_and_leaves_nothing_when_it_is_dropped() {
        let (_place, root) = place();
        let mut upload = root.create("new/place/image").unwrap();
        upload.file.write_all(b"whole").unwrap();
        assert_eq!(root.list("new", true).unwrap(), ["new/", "new/place/"]);
        upload.keep().unwrap();
        assert_eq!(std::fs::read(root.locate("new/place/image").unwrap()).unwrap(), b"whole");
        let mut broken = root.create("new/place/image").unwrap();
        broken.file.write_all(b"half").unwrap();
        drop(broken);
        assert_eq!(std::fs::read(root.0.join("new/place/image")).unwrap(), b"whole");
        assert_eq!(std::fs::read_dir(root.0.join("new/place")).unwrap().count(), 1);
    }

    #[test]
    fn files_are_copied_renamed_listed_and_removed() {
        let (_place, root) = place();
        root.copy("sub/file", "a/copy").unwrap();
        root.rename("a/copy", "b/moved").unwrap();
        assert_eq!(root.list("b", false).unwrap(), ["b/", "b/moved"]);
        assert_eq!(root.list("b/moved", false).unwrap(), ["b/moved"]);
        assert_eq!(root.list("nowhere", false).unwrap(), Vec::<String>::new());
        assert_eq!(root.facts("b/moved").unwrap(), Facts { length: 6, is_folder: false });
        assert!(root.facts("b").unwrap().is_folder);
        assert!(root.delete("b").is_err(), "a folder that holds something");
        root.remove_all("b").unwrap();
        root.delete("b/moved").unwrap();
        assert!(!root.exists("b").unwrap());
        assert!(root.exists("/").unwrap());
    }

    #[test]
    fn without_openat2_no_link_is_followed() {
        let (_place, root) = place();
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(CWD, &root.0, flags | OFlags::DIRECTORY, Mode::empty()).unwrap();
        assert!(step_by_step(open(), Path::new("sub/file"), OFlags::RDONLY).is_ok());
        for path in ["link", "up/secret", "out"] {
            assert!(step_by_step(open(), Path::new(path), OFlags::RDONLY).is_err(), "{path}");
        }
    }
}
