//! A new copy in the cache: a file without a lasting name until it is complete and proven, then one that is found.

use std::fs::File;
use std::io::{self, Write};

use tempfile::NamedTempFile;

use super::evict;
use super::folder::{Cache, CacheHit, lock};
use super::key::Key;
use super::meta::{Meta, Proven};
use crate::archive_map::ArchiveMap;

/// Where and under which key an image is to be kept.
#[derive(Debug, Clone)]
pub(crate) struct CacheSlot {
    pub(crate) cache: Cache,
    pub(crate) key: Key,
}

impl CacheSlot {
    /// A file without a name, for as long as it is open.
    pub(crate) fn nameless(&self) -> io::Result<File> {
        self.cache.prepare()?;
        tempfile::tempfile_in(&self.cache.folder)
    }

    /// A file without a lasting name, locked for as long as its process lives.
    pub(crate) fn temporary(&self) -> io::Result<NamedTempFile> {
        self.cache.prepare()?;
        evict::abandoned(&self.cache.folder)?;
        let file = tempfile::Builder::new().prefix(evict::TEMPORARY).tempfile_in(&self.cache.folder)?;
        rustix::fs::flock(file.as_file(), rustix::fs::FlockOperation::LockExclusive)?;
        Ok(file)
    }

    /// Gives `file` its name: it holds the image that is proven to be what its summary says.
    ///
    /// # Errors
    /// The source changed meanwhile; the folder cannot be written.
    pub(crate) fn publish(
        &self,
        file: NamedTempFile,
        image: Proven<'_>,
        archive_map: Option<ArchiveMap>,
    ) -> io::Result<()> {
        if !self.key.still_holds() {
            return Err(io::Error::other("the source changed while it was read"));
        }
        let folder = &self.cache.folder;
        let _locked = lock(folder)?;
        evict::make_room(folder, self.cache.limit, evict::disk_use(&file.as_file().metadata()?))?;
        file.persist(self.cache.image_path(image.summary.decoded_sha256)).map_err(|e| e.error)?;
        let meta = Meta::of(image, self.key.block_map(), archive_map).sealed(self.key.digest())?;
        let mut description = tempfile::Builder::new().prefix(evict::TEMPORARY).tempfile_in(folder)?;
        description.write_all(&meta)?;
        description.persist(self.cache.meta_path(&self.key)).map_err(|e| e.error)?;
        Ok(())
    }

    /// The copy that is there.
    pub(crate) fn find(&self) -> Option<CacheHit> {
        self.cache.find(&self.key)
    }
}
