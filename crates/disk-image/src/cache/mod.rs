//! Decoded images kept by digest, so that an image is fetched and decoded once and flashed many times.
//!
//! A folder holds `DIGEST.img`, the decoded bytes with holes where they are zero, and `KEY.json` for each origin they came
//! from: a file in one state, an object of a server in one version. Names appear by renaming what is complete and proven.
//! What is read is hashed again, so a damaged copy is an error and never an image; a description carries a checksum over itself
//! and its key, and one that was changed is no description. Several processes may share a folder.

mod evict;
mod key;
mod meta;
mod writer;

use std::fs::{DirBuilder, File, FileTimes};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub(crate) use key::Key;
pub(crate) use meta::Meta;
pub(crate) use writer::{CacheSlot, CacheWriter};

use crate::Digest;

/// Where decoded images are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Folder of the copies; made when it is not there, for its owner alone.
    pub folder: PathBuf,
    /// Most bytes of disk that they take; those that were not used for longest go first.
    pub limit: u64,
}

/// What became of an image in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cached {
    /// There is no cache, or the source's state cannot be identified, or the source is a raw local file that needs no copy.
    No,
    /// It was decoded and is kept now.
    Kept,
    /// It came out of the cache, nothing was decoded.
    Hit,
    /// It could not be kept, for this reason.
    Failed(String),
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
        let entries = std::fs::read_dir(&self.folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
        let metas = entries.filter(|path| path.extension().is_some_and(|end| end == "json"));
        let fits = |meta: &Meta| meta.block_map == block_map && fits(meta);
        metas.filter_map(|path| Meta::load(&path)).filter(fits).find_map(|meta| self.hit(meta))
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

    fn image_path(&self, decoded: Digest) -> PathBuf {
        self.folder.join(format!("{decoded}.img"))
    }

    fn meta_path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{}.json", key.digest()))
    }

    /// Makes the folder if need be.
    fn prepare(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)
    }
}

/// Waits until no other process changes the folder; it is free again when the file is closed.
fn lock(folder: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
    Ok(file)
}
