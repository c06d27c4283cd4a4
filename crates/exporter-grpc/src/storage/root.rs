//! File operations below one folder and nowhere else: no `..`, no absolute path, no symbolic link that leads out.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::confine;
pub(crate) use super::confine::clean;
pub(crate) use super::walk::EntryFacts;
use super::walk::{DEPTH, UPLOAD, facts, facts_at, list_into, missing_is_fine, remove_tree};

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

impl Root {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
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
    pub(crate) fn facts(&self, path: &str) -> io::Result<EntryFacts> {
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
            Ok(EntryFacts { is_folder: true, .. }) => {
                rustix::fs::unlinkat(&folder, &name, AtFlags::REMOVEDIR)
            }
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

    fn beneath(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        confine::open(&self.0, path, flags)
    }
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

#[cfg(test)]
mod tests;
