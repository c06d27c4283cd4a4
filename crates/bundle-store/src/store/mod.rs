//! The cache: bundles by content, shared between processes, never half there, usable without their registry.
//!
//! Below the folder: `blobs/sha256/HEX` (files as they came, each hashed), `trees/HEX` (bundles as folders, their files
//! hard links to blobs) with `trees/HEX.json` (what must be in them, written last), `refs` (what was asked for under
//! which name, for `gc`), `signatures`, `locks`, `tmp`. Beside them a link `quay.io_acme_bundle_v1` for each reference,
//! where Jumpstarter keeps its folders.
//!
//! Nothing gets its final name before its digest was right. What is damaged on disk later is noticed before use (by its
//! stamp, or after a reboot by its digest) and fetched again.

mod assemble;
mod cached;
mod fetch;
mod files;
mod gc;
mod index;
mod layout;
mod lock;
mod unpack;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use self::{
    index::{Index, State},
    layout::{Layout, blocking},
    lock::Mode,
};
use crate::{
    Access, Digest, OciError, OciManifest, PublicKey, Reference, Registry,
    signature::{self, Signed},
    words::listed,
};

pub use cached::{Cached, export};
pub use gc::Freed;
pub use unpack::Limits;

/// How long the tag of a pinned bundle is asked for before the cache stands in.
const TAG_TIMEOUT: Duration = Duration::from_secs(5);
const QUESTION: Duration = Duration::from_secs(60);

/// A cache of bundles in a folder.
#[derive(Clone, Debug)]
pub struct Store {
    layout: Layout,
    access: Access,
    limits: Limits,
}

/// A bundle that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    /// Its name.
    pub reference: &'w Reference,
    /// What a lock file pins the name to.
    pub locked: Option<Digest>,
    /// The key that must have signed it.
    pub key: Option<&'w PublicKey>,
}

impl Store {
    /// A cache in `dir`, which is made when it is needed.
    pub fn new(dir: impl Into<PathBuf>, access: Access) -> Store {
        Store { layout: Layout::new(dir.into()), access, limits: Limits::default() }
    }

    /// With other bounds.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Store {
        Store { limits, ..self }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        self.layout.dir()
    }

    /// The bundle, from the cache or its registry.
    ///
    /// A name with a digest never asks the registry for what the cache has. A name that a lock file pins is compared with
    /// its registry: an answer that differs, or none, is a warning. Any other name needs its registry.
    ///
    /// # Errors
    /// See [`OciError`]; nothing of a bundle that fails is kept but blobs whose digests were right.
    pub async fn get(&self, wanted: &Wanted<'_>) -> Result<Cached, OciError> {
        let reference = wanted.reference;
        let _alive = self.layout.lock("store", Mode::Shared).await?;
        let mut warnings = Vec::new();
        let digest = match reference.digest().or(wanted.locked) {
            Some(digest) => digest,
            None => self.resolve(reference).await?,
        };
        let _one_at_a_time = self.layout.lock(&format!("tree-{digest}"), Mode::Exclusive).await?;
        let state = self.state(digest).await?;
        let mut downloaded = 0;
        let index = match state {
            State::Ready(index) => {
                if wanted.locked.is_some() && reference.digest().is_none() {
                    warnings.extend(self.moved(reference, digest).await);
                }
                index
            }
            state => {
                if let State::Damaged(files) = state {
                    let files = listed(&files);
                    warnings.push(format!(
                        "the cached copy of `{reference}` was damaged on disk ({files}) and was fetched again"
                    ));
                }
                let (index, bytes) = self.pull(reference, digest).await?;
                downloaded = bytes;
                index
            }
        };
        if let Some(key) = wanted.key {
            self.check_signature(reference, digest, key).await?;
        }
        let used = self.layout.lock(&format!("used-{digest}"), Mode::Shared).await?;
        let (layout, named) = (self.layout.clone(), reference.clone());
        blocking(move || layout.note_use(&named, digest)).await?;
        let dir = self.layout.tree(digest);
        Ok(Cached { dir, digest, warnings, downloaded, files: index.digests(), _used: used })
    }

    /// Removes every bundle that no name stands for any more, and every file no bundle needs. With `unused_for`, names
    /// not used for that long are forgotten first. With `dry`, only tells.
    ///
    /// # Errors
    /// [`OciError::Busy`] while another process pulls; [`OciError::Storage`].
    pub async fn gc(&self, unused_for: Option<Duration>, dry: bool) -> Result<Freed, OciError> {
        self.layout.gc(unused_for, dry).await
    }

    /// Has the files of a bundle hashed when it is looked at next, however they look: their stamps did not tell that one of
    /// them is damaged. Blocks.
    ///
    /// # Errors
    /// [`OciError::Storage`].
    pub fn distrust(&self, digest: Digest) -> Result<(), OciError> {
        self.layout.distrust(digest)
    }

    /// The digest that the registry gives `reference` now.
    ///
    /// # Errors
    /// [`OciError::Unpinned`] when the registry is out of reach and the cache has a copy; else those of the registry.
    pub async fn resolve(&self, reference: &Reference) -> Result<Digest, OciError> {
        let asked = async { Registry::new(reference, &self.access)?.resolve(QUESTION).await };
        asked.await.map_err(|error| match self.layout.last_seen(reference) {
            Some(cached) if error.is_offline() => {
                OciError::Unpinned { reference: reference.to_string(), cached, source: Box::new(error) }
            }
            _ => error,
        })
    }

    /// What to say when the registry gives a pinned tag another digest, or none.
    async fn moved(&self, reference: &Reference, pinned: Digest) -> Option<String> {
        let asked = async { Registry::new(reference, &self.access)?.resolve(TAG_TIMEOUT).await };
        match asked.await {
            Ok(now) if now == pinned => None,
            Ok(now) => Some(format!(
                "the tag of `{reference}` now stands for {}; the lock file pins {}, which is used; `flasher bundle lock` takes the new one",
                now.prefixed(),
                pinned.prefixed()
            )),
            Err(error) => Some(format!("{error}; the cached copy that the lock file pins is used")),
        }
    }

    async fn state(&self, digest: Digest) -> Result<State, OciError> {
        let layout = self.layout.clone();
        blocking(move || layout.look(digest)).await
    }

    async fn pull(&self, reference: &Reference, digest: Digest) -> Result<(Index, u64), OciError> {
        let registry = Arc::new(Registry::new(&reference.at(digest), &self.access)?);
        let manifest: OciManifest = registry.manifest().await?;
        let files = manifest.files(&reference.to_string())?;
        let downloaded = self.layout.fetch_all(&registry, reference, &files).await?;
        let (layout, limits) = (self.layout.clone(), self.limits);
        let index = blocking(move || layout.assemble(digest, &files, limits)).await?;
        Ok((index, downloaded))
    }

    /// By what is in the cache when that is enough; else by what the registry has.
    async fn check_signature(
        &self,
        reference: &Reference,
        digest: Digest,
        key: &PublicKey,
    ) -> Result<(), OciError> {
        let path = self.layout.dir().join("signatures").join(format!("{digest}.json"));
        let known = signature::load(&path);
        if known.iter().any(|signed| signed.verify(digest, key).is_ok()) {
            return Ok(());
        }
        let registry = Registry::new(&reference.at(digest), &self.access)?;
        let found: Vec<Signed> = signature::fetch(&registry, digest).await?;
        signature::judge(&found, reference, digest, key)?;
        blocking(move || signature::keep(&path, &found)).await
    }
}
