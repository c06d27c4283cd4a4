//! Images that clients send for one job. Each is in a folder of its own that no client and no other user of this machine can
//! reach; it goes with the job, and what an exporter that was killed has left goes at the next start.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use flasher_core::{CancellationToken, Class, Error, Result};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt;

use crate::failure::CallFailure;
use crate::minimum_rate::MinimumRate;
use crate::resource::{DataSource, StreamItem};

/// Bytes of the SHA-256 that follows an image.
pub(crate) const DIGEST: usize = 32;
/// Longest name of an image that is kept, bytes.
const LONGEST: usize = 200;
/// The lock of each folder: held for as long as its exporter lives.
const LOCK: &str = "lock";

/// Where uploads lie: on a disk that survives a start of the machine, for memory is too small for an image.
#[derive(Clone, Debug)]
pub(crate) struct Uploads(PathBuf);

/// A folder for one image; removed with this.
#[derive(Debug)]
pub(crate) struct Upload {
    folder: PathBuf,
    file: PathBuf,
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

    /// Makes room for an image called `name` of `length` bytes. Blocks for an instant.
    ///
    /// # Errors
    /// Class infrastructure when it cannot be kept.
    pub(crate) fn begin(&self, name: &str, length: u64) -> Result<Upload> {
        let failed = |error: io::Error| self.unusable(error);
        let _alone = self.own().map_err(failed)?;
        let folder = self.0.join(uuid::Uuid::new_v4().to_string());
        let image = folder.join("image");
        private().recursive(true).create(&image).map_err(failed)?;
        let lock = File::create(folder.join(LOCK)).map_err(failed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| failed(error.into()))?;
        let upload = Upload { file: image.join(file_name(name)), folder, _lock: lock };
        let room = rustix::fs::statvfs(&upload.folder).map_err(|error| failed(error.into()))?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        if free < length {
            return Err(Error::infrastructure(format!(
                "the exporter has {free} bytes free in `{}`, and the image has {length}",
                self.0.display()
            ))
            .help("make room there, or start `flasher serve` with TMPDIR set to a larger disk")
            .retryable(false));
        }
        Ok(upload)
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

/// The last part of a client's name for its image, as far as it can name a file here.
fn file_name(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or_default();
    let mut end = last.len().min(LONGEST);
    while !last.is_char_boundary(end) {
        end -= 1;
    }
    match &last[..end] {
        "" | "." | ".." => "image".to_owned(),
        name => name.replace('\0', "-"),
    }
}

impl Upload {
    /// Where the image is.
    pub(crate) fn path(&self) -> Result<String> {
        let path = self.file.to_str().map(str::to_owned);
        path.ok_or_else(|| Error::infrastructure("the folder for uploads has a name that is no text"))
    }

    /// Takes `length` bytes and the SHA-256 behind them; gives the digest of what is in the file now, lower-case hex.
    ///
    /// # Errors
    /// Class source when it is cut short, goes on, or is not what its digest says; infrastructure when it comes too slowly
    /// or cannot be written; interrupted at `stop`.
    pub(crate) async fn receive(
        &self,
        mut source: DataSource,
        length: u64,
        stop: &CancellationToken,
    ) -> Result<String> {
        let unwritten = |error: io::Error| {
            Error::infrastructure("the exporter cannot write the uploaded image")
                .retryable(false)
                .because(error)
        };
        let mut file = tokio::fs::File::create(&self.file).await.map_err(unwritten)?;
        let (mut hash, mut trailer, mut minimum_rate) = (Sha256::new(), Vec::new(), MinimumRate::default());
        let mut missing = length;
        loop {
            let piece = tokio::select! {
                () = stop.cancelled() => return Err(stopped()),
                piece = minimum_rate.wait(source.next()) => piece,
            };
            let data = match piece.map_err(slow)? {
                StreamItem::Data(data) => data,
                StreamItem::End => break,
                StreamItem::Broken(failure) => {
                    return Err(cut(length - missing, length).because(io_error(failure)));
                }
            };
            minimum_rate.moved(data.len());
            let count = usize::try_from(missing).unwrap_or(usize::MAX).min(data.len());
            let image = data.slice(..count);
            file.write_all(&image).await.map_err(unwritten)?;
            hash = hashed(hash, image).await?;
            missing -= count as u64;
            trailer.extend_from_slice(&data[count..]);
            if trailer.len() > DIGEST {
                return Err(Error::new(Class::Source, "the client sent more than it said the image has"));
            }
        }
        file.flush().await.map_err(unwritten)?;
        if missing > 0 || trailer.len() < DIGEST {
            return Err(cut(length - missing, length));
        }
        let digest = hash.finalize();
        if trailer != digest.as_slice() {
            return Err(Error::new(
                Class::Source,
                "the image is not what the client sent: its SHA-256 differs",
            )
            .help("flash again; the network or a disk changes bytes when it comes again"));
        }
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "an uploaded image could not be removed");
        }
    }
}

async fn hashed(mut hash: Sha256, data: bytes::Bytes) -> Result<Sha256> {
    let work = tokio::task::spawn_blocking(move || {
        hash.update(&data);
        hash
    });
    work.await
        .map_err(|error| Error::new(Class::Internal, "a worker thread ended unexpectedly").because(error))
}

fn stopped() -> Error {
    Error::new(Class::Interrupted, "stopped while the image was being sent; the medium is untouched")
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn slow(failure: CallFailure) -> Error {
    Error::infrastructure(failure.text).help("the board is free again, the medium is untouched")
}

fn cut(received: u64, length: u64) -> Error {
    Error::new(Class::Source, format!("the image was cut short: {received} of {length} bytes have come"))
        .help("the medium is untouched; flash again")
}

fn io_error(failure: CallFailure) -> io::Error {
    io::Error::other(failure.text)
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
