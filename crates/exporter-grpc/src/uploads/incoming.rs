//! Files on their way from a client: each is written, and must have the SHA-256 that comes behind it.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use flasher_core::{CancellationToken, Class, Error, Result};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt;

use crate::failure::CallFailure;
use crate::minimum_rate::MinimumRate;
use crate::resource::{DataSource, StreamItem};

/// Bytes of the SHA-256 that follows a file.
const DIGEST: usize = 32;

/// A file that is to come.
#[derive(Debug)]
pub(super) struct ExpectedFile {
    /// Where it goes. Nothing is there yet.
    pub(super) path: PathBuf,
    /// Its length, bytes.
    pub(super) length: u64,
}

impl ExpectedFile {
    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Takes every file and the SHA-256 behind it; gives the digests of what is in the files now, lower-case hex.
///
/// # Errors
/// Class source when a file is cut short, or is not what its digest says, or more comes; infrastructure when it comes too
/// slowly or cannot be written; interrupted at `stop`.
pub(super) async fn receive(
    source: DataSource,
    files: &[ExpectedFile],
    stop: &CancellationToken,
) -> Result<Vec<String>> {
    let mut receiver =
        FileReceiver { source, rest: Bytes::new(), minimum_rate: MinimumRate::default(), stop };
    let mut digests = Vec::new();
    for file in files {
        digests.push(receiver.file(file).await?);
    }
    match receiver.next(u64::MAX).await? {
        StreamItem::End => Ok(digests),
        StreamItem::Data(_) => Err(Error::new(Class::Source, "the client sent more than its order says")),
        StreamItem::Broken(failure) => {
            Err(Error::new(Class::Source, "the client went away while it sent its files")
                .help(UNTOUCHED)
                .because(io::Error::other(failure.text)))
        }
    }
}

const UNTOUCHED: &str = "the medium is untouched; flash again";

/// What comes from a client.
struct FileReceiver<'a> {
    source: DataSource,
    /// What has come and is not yet taken.
    rest: Bytes,
    minimum_rate: MinimumRate,
    stop: &'a CancellationToken,
}

impl FileReceiver<'_> {
    /// Writes a file; gives its digest, which is also the one behind it.
    async fn file(&mut self, expected: &ExpectedFile) -> Result<String> {
        let unwritten = |error| unwritten(&expected.name(), error);
        let mut file = tokio::fs::File::create_new(&expected.path).await.map_err(unwritten)?;
        let (mut hash, mut missing) = (Sha256::new(), expected.length);
        while missing > 0 {
            let data = self.data(missing, expected, missing).await?;
            file.write_all(&data).await.map_err(unwritten)?;
            missing -= data.len() as u64;
            hash = hashed(hash, data).await?;
        }
        file.flush().await.map_err(unwritten)?;
        let mut trailer = Vec::new();
        while trailer.len() < DIGEST {
            let left = (DIGEST - trailer.len()) as u64;
            trailer.extend_from_slice(&self.data(left, expected, 0).await?);
        }
        let digest = hash.finalize();
        if trailer != digest.as_slice() {
            let text = format!("`{}` is not what the client sent: its SHA-256 differs", expected.name());
            return Err(Error::new(Class::Source, text)
                .help("flash again; the network or a disk changes bytes when it comes again"));
        }
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Up to `most` bytes of a file of which `missing` have not come.
    async fn data(&mut self, most: u64, of: &ExpectedFile, missing: u64) -> Result<Bytes> {
        match self.next(most).await? {
            StreamItem::Data(data) => Ok(data),
            StreamItem::End => Err(cut(of, missing)),
            StreamItem::Broken(failure) => Err(cut(of, missing).because(io::Error::other(failure.text))),
        }
    }

    /// What comes next; data is never empty, and at most `most` bytes.
    async fn next(&mut self, most: u64) -> Result<StreamItem> {
        while self.rest.is_empty() {
            let item = tokio::select! {
                () = self.stop.cancelled() => return Err(stopped()),
                item = self.minimum_rate.wait(self.source.next()) => item,
            };
            match item.map_err(slow)? {
                StreamItem::Data(data) => {
                    self.minimum_rate.moved(data.len());
                    self.rest = data;
                }
                end => return Ok(end),
            }
        }
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(self.rest.len());
        Ok(StreamItem::Data(self.rest.split_to(count)))
    }
}

async fn hashed(mut hash: Sha256, data: Bytes) -> Result<Sha256> {
    let work = tokio::task::spawn_blocking(move || {
        hash.update(&data);
        hash
    });
    work.await
        .map_err(|error| Error::new(Class::Internal, "a worker thread ended unexpectedly").because(error))
}

fn unwritten(name: &str, error: io::Error) -> Error {
    Error::infrastructure(format!("the exporter cannot write `{name}`")).retryable(false).because(error)
}

fn stopped() -> Error {
    Error::new(Class::Interrupted, "stopped while the files were being sent; the medium is untouched")
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn slow(failure: CallFailure) -> Error {
    Error::infrastructure(failure.text).help("the board is free again, the medium is untouched")
}

fn cut(file: &ExpectedFile, missing: u64) -> Error {
    let (name, received, length) = (file.name(), file.length - missing, file.length);
    Error::new(Class::Source, format!("`{name}` was cut short: {received} of {length} bytes have come"))
        .help(UNTOUCHED)
}
