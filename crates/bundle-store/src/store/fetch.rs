//! From the registry into the cache: each blob once, hashed while it is written, under its name only when it was right.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use futures_util::StreamExt;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    layout::{Layout, blocking},
    lock::Mode,
};
use crate::{Digest, Layer, OciError, Reference, Registry};

/// Downloads at a time.
const AT_ONCE: usize = 3;
/// Pieces between the network and the disk.
const QUEUE: usize = 16;
/// Bytes left free beside what is downloaded.
const SPARE: u64 = 1 << 20;

impl Layout {
    /// Brings every blob of `files` into the cache; gives the bytes that were downloaded.
    pub(super) async fn fetch_all(
        &self,
        registry: &Arc<Registry>,
        reference: &Reference,
        files: &BTreeMap<String, Layer>,
    ) -> Result<u64, OciError> {
        let mut seen = BTreeSet::new();
        let layers: Vec<Layer> = files.values().filter(|layer| seen.insert(layer.digest)).cloned().collect();
        self.refuse_full_disk(reference, &layers)?;
        let stop = CancellationToken::new();
        let fetches = layers.into_iter().map(|layer| self.fetch(Arc::clone(registry), layer, stop.clone()));
        let mut running = futures_util::stream::iter(fetches).buffer_unordered(AT_ONCE);
        let mut outcome = Ok(0);
        while let Some(one) = running.next().await {
            outcome = match (outcome, one) {
                (Ok(sum), Ok(bytes)) => Ok(sum + bytes),
                (Ok(_), Err(error)) => {
                    // The others end early, and are waited for: each removes its own file.
                    stop.cancel();
                    Err(error)
                }
                (first, _) => first,
            };
        }
        outcome
    }

    fn refuse_full_disk(&self, reference: &Reference, layers: &[Layer]) -> Result<(), OciError> {
        let missing = layers.iter().filter(|layer| !self.blob(layer.digest).exists()).map(|layer| layer.size);
        let needed = missing.fold(0u64, u64::saturating_add);
        let about = rustix::fs::statvfs(self.dir())
            .map_err(|fault| OciError::storage("look at", self.dir())(fault.into()))?;
        let free = about.f_bavail.saturating_mul(about.f_frsize);
        if needed > 0 && needed.saturating_add(SPARE) > free {
            return Err(OciError::Space {
                reference: reference.to_string(),
                path: self.dir().into(),
                needed,
                free,
            });
        }
        Ok(())
    }

    /// Brings one blob; gives the bytes that were downloaded. Nothing is kept of it once `stop` is cancelled.
    async fn fetch(
        &self,
        registry: Arc<Registry>,
        layer: Layer,
        stop: CancellationToken,
    ) -> Result<u64, OciError> {
        if stop.is_cancelled() {
            return Ok(0);
        }
        let _one_at_a_time = self.lock(&format!("blob-{}", layer.digest), Mode::Exclusive).await?;
        let (path, digest) = (self.blob(layer.digest), layer.digest);
        let known = path.clone();
        if blocking(move || is_whole(&known, digest)).await? {
            return Ok(0);
        }
        self.folder("blobs/sha256")?;
        // Kept here, so that it is gone as soon as this future is.
        let file = new_file(&self.folder("tmp")?)?;
        let handle = file.reopen().map_err(OciError::storage("open", file.path()))?;
        let (pieces, queue) = mpsc::channel::<Bytes>(QUEUE);
        let name = file.path().to_owned();
        let writer = tokio::task::spawn_blocking(move || write(queue, handle, &name));
        let sent = stop.run_until_cancelled(send(&registry, &layer, pieces)).await;
        let written = writer
            .await
            .map_err(|fault| OciError::storage("finish writing", &path)(std::io::Error::other(fault)))?;
        let found = written?;
        let Some(sent) = sent else { return Ok(0) };
        sent?; // only now: a full disk ends the writer first, and says why
        if found != digest {
            return Err(OciError::Digest { what: layer.to_string(), expected: digest, found });
        }
        blocking(move || keep(file, &path)).await?;
        Ok(layer.size)
    }
}

/// Hands the pieces of a layer to the writer; stops when it has gone.
async fn send(registry: &Arc<Registry>, layer: &Layer, pieces: mpsc::Sender<Bytes>) -> Result<(), OciError> {
    let mut raw = registry.raw(layer);
    while let Some(piece) = raw.next().await {
        if pieces.send(piece?).await.is_err() {
            break;
        }
    }
    Ok(())
}

fn new_file(tmp: &Path) -> Result<NamedTempFile, OciError> {
    NamedTempFile::new_in(tmp).map_err(OciError::storage("create a file in", tmp))
}

/// Writes and hashes what comes.
fn write(mut queue: mpsc::Receiver<Bytes>, mut file: fs::File, name: &Path) -> Result<Digest, OciError> {
    let mut hash = Sha256::new();
    while let Some(piece) = queue.blocking_recv() {
        hash.update(&piece);
        file.write_all(&piece).map_err(OciError::storage("write to", name))?;
    }
    Ok(crate::digest::finish(hash))
}

fn keep(file: NamedTempFile, path: &Path) -> Result<(), OciError> {
    let failed = |source| OciError::Storage { action: "write", path: path.into(), source };
    file.as_file().set_permissions(fs::Permissions::from_mode(0o444)).map_err(failed)?;
    file.persist(path).map_err(|fault| failed(fault.error))?;
    Ok(())
}

/// Whether the blob is there; one that is damaged is removed.
fn is_whole(path: &Path, digest: Digest) -> Result<bool, OciError> {
    match crate::digest::of_file(path) {
        Ok((_, found)) if found == digest => Ok(true),
        Ok(_) => fs::remove_file(path).map(|()| false).map_err(OciError::storage("remove", path)),
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(fault) => Err(OciError::storage("read", path)(fault)),
    }
}
