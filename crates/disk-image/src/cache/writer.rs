//! Writes the copy of an image into the cache while it is decoded, and names it once the image is proven.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tempfile::NamedTempFile;

use super::{Cache, CacheHit, Key, Meta, evict, lock};
use crate::archive_map::ArchiveMap;
use crate::backlog::CopyProgress;
use crate::chunk_hash::Worker;
use crate::map::TypedChunk;
use crate::{Cached, RangeKind, Summary};

/// Where and under which key an image is to be kept.
#[derive(Debug, Clone)]
pub(crate) struct CacheSlot {
    pub(crate) cache: Cache,
    pub(crate) key: Key,
}

/// A copy in the making, written by a thread of its own.
pub(crate) struct CacheWriter {
    cache_slot: CacheSlot,
    lane: io::Result<Worker<TypedChunk, io::Result<NamedTempFile>>>,
}

impl CacheWriter {
    /// Begins a copy and reports its progress. A fault is reported at the end: a cache never makes a flash fail.
    pub(crate) fn start(cache_slot: &CacheSlot, progress: CopyProgress) -> CacheWriter {
        let limit = cache_slot.cache.limit;
        let lane = temporary(&cache_slot.cache).and_then(|file| {
            progress.begun(Arc::new(file.as_file().try_clone()?));
            Worker::start("image-cache", move |parts| write(file, limit, &parts, &progress))
        });
        CacheWriter { cache_slot: cache_slot.clone(), lane }
    }

    /// Takes the next part of the image.
    pub(crate) fn push(&self, part: &TypedChunk) {
        if let Ok(lane) = &self.lane {
            // A thread that died says so at the end.
            let _ = lane.push(part.clone());
        }
    }

    /// Gives the copy its name: the image is proven to be what `summary` says.
    pub(crate) fn finish(
        self,
        summary: &Summary,
        archive_map: Option<ArchiveMap>,
    ) -> (Cached, Option<CacheHit>) {
        let CacheWriter { cache_slot, lane } = self;
        let written = lane.and_then(|lane| {
            lane.finish().unwrap_or_else(|| Err(io::Error::other("the thread that wrote it died")))
        });
        match written.and_then(|file| publish(&cache_slot, file, summary, archive_map)) {
            Ok(()) => (Cached::Kept, cache_slot.cache.find(&cache_slot.key)),
            Err(error) => (Cached::Failed(format!("`{}`: {error}", cache_slot.cache.folder.display())), None),
        }
    }
}

/// A file without a lasting name, locked for as long as its process lives.
fn temporary(cache: &Cache) -> io::Result<NamedTempFile> {
    cache.prepare()?;
    evict::abandoned(&cache.folder)?;
    let file = tempfile::Builder::new().prefix(evict::TEMPORARY).tempfile_in(&cache.folder)?;
    rustix::fs::flock(file.as_file(), rustix::fs::FlockOperation::LockExclusive)?;
    Ok(file)
}

/// Writes data at their places; the rest stays a hole. After an error the file's name is gone at once, and its room as soon as
/// its last reader is gone.
fn write(
    file: NamedTempFile,
    limit: u64,
    parts: &Receiver<TypedChunk>,
    progress: &CopyProgress,
) -> io::Result<NamedTempFile> {
    let written = write_all(file.as_file(), limit, parts, progress);
    if let Err(error) = written {
        drop(file);
        progress.failed();
        parts.iter().for_each(drop); // the decoding thread must not be held up
        return Err(error);
    }
    Ok(file)
}

fn write_all(
    file: &File,
    limit: u64,
    parts: &Receiver<TypedChunk>,
    progress: &CopyProgress,
) -> io::Result<()> {
    let (mut offset, mut data) = (0, 0);
    for part in parts {
        let length = part.bytes.len() as u64;
        if part.kind == RangeKind::Data {
            data += length;
            if data > limit {
                return Err(io::Error::other(format!(
                    "the image has more data than the {limit} bytes it may take"
                )));
            }
            file.write_all_at(&part.bytes, offset)?;
        }
        offset += length;
        progress.written(offset);
    }
    file.set_len(offset)
}

fn publish(
    cache_slot: &CacheSlot,
    file: NamedTempFile,
    summary: &Summary,
    archive_map: Option<ArchiveMap>,
) -> io::Result<()> {
    if !cache_slot.key.still_holds() {
        return Err(io::Error::other("the source changed while it was read"));
    }
    let folder = &cache_slot.cache.folder;
    let _locked = lock(folder)?;
    evict::make_room(folder, cache_slot.cache.limit, evict::disk_use(&file.as_file().metadata()?))?;
    file.persist(cache_slot.cache.image_path(summary.decoded_sha256)).map_err(|e| e.error)?;
    let meta = Meta::of(summary, cache_slot.key.block_map(), archive_map).sealed(cache_slot.key.digest())?;
    let mut description = tempfile::Builder::new().prefix(evict::TEMPORARY).tempfile_in(folder)?;
    description.write_all(&meta)?;
    description.persist(cache_slot.cache.meta_path(&cache_slot.key)).map_err(|e| e.error)?;
    Ok(())
}
