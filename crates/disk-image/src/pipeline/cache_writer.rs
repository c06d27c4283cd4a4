//! Keeps a copy of an image in the cache while it is decoded; it gets its name once the image is proven.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tempfile::NamedTempFile;

use crate::archive_map::ArchiveMap;
use crate::cache::{CacheHit, CacheSlot, Proven};
use crate::pipeline::backlog::CopyProgress;
use crate::pipeline::chunk::TypedChunk;
use crate::thread::Worker;
use crate::{Cached, RangeKind};

/// A copy in the making, written by a thread of its own.
pub(crate) struct CacheWriter {
    cache_slot: CacheSlot,
    thread: io::Result<Worker<TypedChunk, io::Result<NamedTempFile>>>,
}

impl CacheWriter {
    /// Begins a copy and reports its progress. A fault is reported at the end: a cache never makes a flash fail.
    pub(crate) fn start(cache_slot: &CacheSlot, progress: CopyProgress) -> CacheWriter {
        let (limit, faults) = (cache_slot.cache.limit, progress.clone());
        let thread = cache_slot.temporary().and_then(|file| {
            progress.begun(Arc::new(file.as_file().try_clone()?));
            Worker::start("image-cache", move |parts| write(file, limit, &parts, &progress))
        });
        if thread.is_err() {
            faults.failed();
        }
        CacheWriter { cache_slot: cache_slot.clone(), thread }
    }

    /// Takes the next part of the image.
    pub(crate) fn push(&self, part: &TypedChunk) {
        if let Ok(thread) = &self.thread {
            // A thread that died says so at the end.
            let _ = thread.push(part.clone());
        }
    }

    /// Gives the copy its name: the image is proven to be what `summary` says.
    pub(crate) fn finish(
        self,
        image: Proven<'_>,
        archive_map: Option<ArchiveMap>,
    ) -> (Cached, Option<CacheHit>) {
        let CacheWriter { cache_slot, thread } = self;
        let written = thread.and_then(|thread| {
            thread.finish().unwrap_or_else(|| Err(io::Error::other("the thread that wrote it died")))
        });
        match written.and_then(|file| cache_slot.publish(file, image, archive_map)) {
            Ok(()) => (Cached::Kept, cache_slot.find()),
            Err(error) => (Cached::Failed(format!("`{}`: {error}", cache_slot.cache.folder.display())), None),
        }
    }
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
