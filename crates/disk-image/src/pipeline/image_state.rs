//! What all decodings of an image share: what was known when it was opened, and what the first of them found out.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::runtime::Handle;

use crate::archive_map::ArchiveMap;
use crate::bmap::{self, BlockMap};
use crate::cache::{CacheHit, CacheSlot};
use crate::demanded::Demanded;
use crate::source::origin::Origin;
use crate::{Digest, Error, Expected, Format, ImageContent};

/// An opened image.
pub(crate) struct ImageState {
    pub(crate) label: String,
    pub(crate) format: Format,
    pub(crate) source_length: Option<u64>,
    pub(crate) decoded_length: Option<u64>,
    pub(crate) origin: Origin,
    pub(crate) expected: Expected,
    pub(crate) content: Option<ImageContent>,
    /// The block map that was named, or is beside the source.
    pub(crate) block_map: Option<BlockMap>,
    /// The one beside the image in its archive, once it is known.
    pub(crate) archive_map: OnceLock<BlockMap>,
    /// What is demanded of that one; none when it is not used.
    pub(crate) archive_map_use: Option<ArchiveMapUse>,
    pub(crate) demanded: Demanded,
    pub(crate) has_open_question: bool,
    /// Digest of the source as decoded first.
    pub(crate) source_sha256: OnceLock<Digest>,
    /// Where it is to be kept.
    pub(crate) cache_slot: Option<CacheSlot>,
    /// The copy in the cache, once there is one.
    pub(crate) hit: OnceLock<CacheHit>,
    /// Whether that copy was seen to have other bytes.
    pub(crate) is_copy_damaged: AtomicBool,
    /// What of it is not to be written, whatever it has there, bytes; in order.
    pub(crate) left_alone: OnceLock<Vec<Range<u64>>>,
    /// What the source was put together as, once it was.
    pub(crate) assembled: Mutex<Option<Arc<File>>>,
    pub(crate) runtime: Handle,
}

/// How the block map is used that may be beside the image in its archive.
pub(crate) struct ArchiveMapUse {
    /// Keys one of which must have signed it.
    pub(crate) keyring: Option<PathBuf>,
}

impl ImageState {
    /// The copy in the cache, to be read in place of the source.
    pub(crate) fn copy(&self) -> Option<&CacheHit> {
        self.hit.get().filter(|_| !self.is_copy_damaged.load(Ordering::Relaxed))
    }

    /// Where a decoding of the source is going to leave a copy; none where there is one, or none is kept.
    pub(crate) fn copy_to_make(&self) -> Option<&CacheSlot> {
        self.cache_slot.as_ref().filter(|_| self.hit.get().is_none())
    }

    /// Has a copy be used that was made meanwhile. Blocks.
    pub(crate) fn look_for_copy(&self) {
        if let Some(hit) = self.copy_to_make().and_then(CacheSlot::find) {
            self.hit.get_or_init(|| hit);
        }
    }

    /// Has the source be read from now on, where there is one. Without it the damaged copy stays in use, and a decoding says what
    /// is wrong with it.
    pub(crate) fn distrust_copy(&self) {
        if !matches!(self.origin, Origin::Copy) {
            self.is_copy_damaged.store(true, Ordering::Relaxed);
        }
    }

    /// The block map in use.
    pub(crate) fn block_map(&self) -> Option<&BlockMap> {
        self.block_map.as_ref().or_else(|| self.archive_map.get())
    }

    /// Whether that is the one of an archive.
    pub(crate) fn has_archive_map(&self) -> bool {
        self.block_map.is_none() && self.archive_map.get().is_some()
    }

    /// Has every further decoding use the block map that was found beside the image in its archive, if it is to be used. Blocks.
    ///
    /// # Errors
    /// It is none, of another image, not signed as demanded, or not there and demanded.
    pub(crate) fn use_archive_map(&self, found: Option<&ArchiveMap>, length: u64) -> Result<(), Error> {
        let Some(ArchiveMapUse { keyring }) = &self.archive_map_use else { return Ok(()) };
        match (found, keyring) {
            (Some(found), keyring) => {
                let reading = bmap::of_archive(found, &self.label, keyring.as_deref());
                let map = self.runtime.block_on(reading)?;
                map.check_length(&self.label, length)?;
                self.archive_map.get_or_init(|| map);
                Ok(())
            }
            (None, Some(keyring)) => {
                Err(Error::MapAbsent { label: self.label.clone(), keyring: keyring.clone() })
            }
            (None, None) => Ok(()),
        }
    }

    /// What is read in place of the source, which was put together here.
    pub(crate) fn assembled(&self) -> Option<Arc<File>> {
        self.assembled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn use_assembled(&self, file: Arc<File>) {
        *self.assembled.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    }

    /// Has the source be read again.
    pub(crate) fn forget_assembled(&self) {
        *self.assembled.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What of it is not to be written.
    pub(crate) fn left_alone(&self) -> &[Range<u64>] {
        self.left_alone.get().map_or(&[], Vec::as_slice)
    }

    /// The digest that the name of the source promises.
    pub(crate) fn origin_sha256(&self) -> Option<Digest> {
        match &self.origin {
            Origin::External(external) => Some(external.sha256),
            _ => None,
        }
    }
}
