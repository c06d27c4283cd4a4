//! The folder of the cache: finds the copy of an image.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, FileTimes};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::key::Key;
use super::meta::Meta;
use crate::{Digest, Range};

/// Where decoded images are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Folder of the copies; made when it is not there, for its owner alone.
    pub folder: PathBuf,
    /// Most bytes of disk that they take; those that were not used for longest go first.
    pub limit: u64,
}

/// An image in the cache, by the digests of its ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedImage {
    /// Its source without secrets.
    pub name: String,
    /// Digest of the decoded image.
    pub sha256: Digest,
    /// Decoded length, bytes.
    pub length: u64,
    /// All of it, in order.
    pub ranges: Vec<Range>,
}

/// A copy in the cache. It can be read for as long as this lives, also when it is evicted meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct CacheHit {
    pub(crate) meta: Arc<Meta>,
    pub(crate) file: Arc<File>,
    /// Where it was found.
    pub(crate) path: PathBuf,
}

impl Cache {
    /// The images that are there, each once; none of those that former versions kept. What is said of them was true when they were
    /// kept: the copies are not read. Blocks.
    pub fn images(&self) -> Vec<CachedImage> {
        let mut seen = BTreeSet::new();
        let there = |meta: &Meta| self.image_path(meta.decoded_sha256).exists();
        let metas = self.metas().filter(|meta| there(meta) && seen.insert(meta.decoded_sha256.to_string()));
        let image = |meta: Meta| {
            let map = meta.map?;
            let (sha256, length) = (meta.decoded_sha256, meta.decoded_length);
            Some(CachedImage { name: map.label, sha256, length, ranges: map.ranges })
        };
        metas.filter_map(image).collect()
    }

    /// The copy of what `key` stands for.
    pub(crate) fn find(&self, key: &Key) -> Option<CacheHit> {
        self.hit(Meta::load(&self.meta_path(key))?)
    }

    /// A copy whose description `fits`, made with the same block map.
    pub(crate) fn find_where(
        &self,
        block_map: Option<Digest>,
        fits: impl Fn(&Meta) -> bool,
    ) -> Option<CacheHit> {
        let fits = |meta: &Meta| meta.block_map == block_map && fits(meta);
        self.metas().filter(fits).find_map(|meta| self.hit(meta))
    }

    /// What is known of all copies.
    fn metas(&self) -> impl Iterator<Item = Meta> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok);
        let paths = entries.map(|entry| entry.path());
        let metas = paths.filter(|path| path.extension().is_some_and(|end| end == "json"));
        metas.filter_map(|path| Meta::load(&path))
    }

    fn hit(&self, meta: Meta) -> Option<CacheHit> {
        let path = self.image_path(meta.decoded_sha256);
        let file = File::options().read(true).write(true).open(&path).ok()?;
        if file.metadata().ok()?.len() != meta.decoded_length {
            return None;
        }
        // Only the order of eviction depends on it.
        let _ = file.set_times(FileTimes::new().set_modified(SystemTime::now()));
        Some(CacheHit { meta: Arc::new(meta), file: Arc::new(file), path })
    }

    pub(super) fn image_path(&self, decoded: Digest) -> PathBuf {
        self.folder.join(format!("{decoded}.img"))
    }

    pub(super) fn meta_path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{}.json", key.digest()))
    }

    /// Makes the folder if need be.
    pub(super) fn prepare(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)
    }
}

/// Waits until no other process changes the folder; it is free again when the file is closed.
pub(super) fn lock(folder: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
    Ok(file)
}
