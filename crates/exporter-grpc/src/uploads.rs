//! Files that clients send for one job, and its transcript. They are in a folder of the job's own that no client and no other
//! user of this machine can reach; it goes with the job, and what an exporter that was killed has left goes at the next start.

mod incoming;
mod names;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use flasher_core::{CancellationToken, Error, Result};
use rustix::fs::{FlockOperation, flock};

use self::incoming::{ExpectedFile, receive};
pub(crate) use self::names::ClientNames;
use crate::order::{OrderedFile, ReceivedFile};
use crate::resource::DataSource;

/// Longest name of a file that is kept, bytes: what Linux takes (NAME_MAX).
const LONGEST: usize = 255;
/// The lock of each folder: held for as long as its exporter lives.
const LOCK: &str = "lock";

/// Where uploads lie: on a disk that survives a start of the machine, for memory is too small for an image.
#[derive(Clone, Debug)]
pub(crate) struct Uploads(PathBuf);

/// The folder of one job; removed with this.
#[derive(Debug)]
pub(crate) struct Upload {
    folder: PathBuf,
    files: Vec<ExpectedFile>,
    _lock: File,
}

impl Default for Uploads {
    /// `flasher-uploads-USER` in `$TMPDIR`, or in `/var/tmp`.
    fn default() -> Self {
        let temporary = std::env::var_os("TMPDIR").filter(|folder| !folder.is_empty());
        let user = rustix::process::geteuid().as_raw();
        Self(
            temporary
                .map_or_else(|| "/var/tmp".into(), PathBuf::from)
                .join(format!("flasher-uploads-{user}")),
        )
    }
}

impl Uploads {
    #[cfg(test)]
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Makes a folder with room for `files`. Blocks for an instant.
    ///
    /// # Errors
    /// Class infrastructure when they cannot be kept; config when two files of one folder have one name.
    pub(crate) fn begin(&self, files: &[OrderedFile]) -> Result<Upload> {
        let failed = |error: io::Error| self.unusable(error);
        let _alone = self.own().map_err(failed)?;
        let folder = self.0.join(uuid::Uuid::new_v4().to_string());
        if folder.to_str().is_none() {
            return Err(failed(io::Error::other("its name is no text")));
        }
        private().create(&folder).map_err(failed)?;
        let lock = File::create(folder.join(LOCK)).map_err(failed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| failed(error.into()))?;
        let mut upload = Upload { files: Vec::new(), folder, _lock: lock };
        self.check_room(&upload.folder, files.iter().map(|file| file.length).sum())?;
        for (index, file) in files.iter().enumerate() {
            let inside = upload.folder.join(file.beside.unwrap_or(index).to_string());
            match private().create(&inside) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
                _ => {}
            }
            let path = inside.join(file_name(&file.name));
            if upload.files.iter().any(|other| other.path == path) {
                return Err(Error::config("two files of the order have one name").retryable(false));
            }
            upload.files.push(ExpectedFile { path, length: file.length });
        }
        Ok(upload)
    }

    fn check_room(&self, folder: &Path, length: u64) -> Result<()> {
        let room = rustix::fs::statvfs(folder).map_err(|error| self.unusable(error.into()))?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        match free < length {
            true => Err(Error::infrastructure(format!(
                "the exporter has {free} bytes free in `{}`, and what is sent has {length}",
                self.0.display()
            ))
            .help("make room there, or start `flasher serve` with TMPDIR set to a larger disk")
            .retryable(false)),
            false => Ok(()),
        }
    }

    /// Removes what exporters have left that were killed. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub(crate) fn sweep(&self) -> Result<()> {
        if !self.0.exists() {
            return Ok(());
        }
        let swept = self.own().and_then(|_alone| {
            for entry in fs::read_dir(&self.0)? {
                let folder = entry?.path();
                if folder.is_dir() && is_left(&folder) {
                    fs::remove_dir_all(&folder)?;
                }
            }
            Ok(())
        });
        swept.map_err(|error| self.unusable(error))
    }

    /// The folder, made or found to be this user's alone. It is locked meanwhile: no other process sweeps it or begins an upload.
    fn own(&self) -> io::Result<File> {
        match private().create(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let found = fs::symlink_metadata(&self.0)?;
        let is_ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
        if !is_ours || found.mode() & 0o077 != 0 {
            return Err(io::Error::other("it is not this user's alone"));
        }
        let lock = File::create(self.0.join(LOCK))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        Ok(lock)
    }

    fn unusable(&self, error: io::Error) -> Error {
        Error::infrastructure(format!("uploads cannot be kept in `{}`", self.0.display()))
            .help("make it a folder of this user with mode 0700, or set TMPDIR for `flasher serve`")
            .retryable(false)
            .because(error)
    }
}

fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// Whether no process holds the lock of a folder any more.
fn is_left(folder: &Path) -> bool {
    File::open(folder.join(LOCK))
        .map_or(true, |lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok())
}

/// The last part of a client's name for a file, as far as it can name a file here.
fn file_name(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or_default();
    let mut end = last.len().min(LONGEST);
    while !last.is_char_boundary(end) {
        end -= 1;
    }
    match &last[..end] {
        "" | "." | ".." => "file".to_owned(),
        name => name.replace(char::is_control, "-"),
    }
}

impl Upload {
    /// Takes every file and the SHA-256 behind it.
    ///
    /// # Errors
    /// Class source when a file is cut short, or is not what its digest says, or more comes; infrastructure when it comes too
    /// slowly or cannot be written; interrupted at `stop`.
    pub(crate) async fn receive(
        &self,
        source: DataSource,
        stop: &CancellationToken,
    ) -> Result<Vec<ReceivedFile>> {
        let digests = receive(source, &self.files, stop).await?;
        let paths = self.files.iter().map(|file| file.path.to_string_lossy().into_owned());
        Ok(paths.zip(digests).map(|(path, sha256)| ReceivedFile { path, sha256 }).collect())
    }

    /// Where the transcript of the job may be kept that the client calls `name`. Blocks for an instant.
    ///
    /// # Errors
    /// Class infrastructure when it cannot be kept.
    pub(crate) fn transcript(&self, name: &str) -> Result<PathBuf> {
        let inside = self.folder.join("transcript");
        private().create(&inside).map_err(|error| {
            Error::infrastructure("the exporter cannot keep the transcript").retryable(false).because(error)
        })?;
        Ok(inside.join(file_name(name)))
    }

    /// Where a file of the job that has no name of the client's may be kept.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What files in here are called: the client knows them by their names alone.
    pub(crate) fn names(&self) -> ClientNames {
        ClientNames::of(&self.folder)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "uploaded files could not be removed");
        }
    }
}

/// Removes what is left, once, at the start of an exporter.
pub(crate) async fn sweep(uploads: Uploads) {
    let swept = tokio::task::spawn_blocking(move || uploads.sweep()).await;
    if let Ok(Err(error)) = swept {
        tracing::warn!(error = %error.cause(), "what earlier exporters left was not removed");
    }
}

#[cfg(test)]
mod tests;
