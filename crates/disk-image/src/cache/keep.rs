//! Makes a copy while an image is decoded, and gives it a name once the image is proven.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tempfile::NamedTempFile;

use super::{Cache, Hit, Key, Meta, evict, lock};
use crate::backlog::CopyProgress;
use crate::chunk_hash::Lane;
use crate::map::Part;
use crate::{Cached, RangeKind, Summary};

/// Where and under which key an image is to be kept.
#[derive(Debug, Clone)]
pub(crate) struct Keep {
    pub(crate) cache: Cache,
    pub(crate) key: Key,
}

/// A copy in the making, written by a thread of its own.
pub(crate) struct Keeper {
    keep: Keep,
    lane: io::Result<Lane<Part, io::Result<NamedTempFile>>>,
}

impl Keeper {
    /// Begins a copy and tells how far it is. What goes wrong with it is told at the end: a cache never spoils a flash.
    pub(crate) fn start(keep: &Keep, progress: CopyProgress) -> Keeper {
        let limit = keep.cache.limit;
        let lane = temporary(&keep.cache).and_then(|file| {
            progress.begun(Arc::new(file.as_file().try_clone()?));
            Lane::start("image-cache", move |parts| write(file, limit, &parts, &progress))
        });
        Keeper { keep: keep.clone(), lane }
    }

    /// Takes the next part of the image.
    pub(crate) fn push(&self, part: &Part) {
        if let Ok(lane) = &self.lane {
            // A thread that died says so at the end.
            let _ = lane.push(part.clone());
        }
    }

    /// Gives the copy its name: the image is proven to be what `summary` says.
    pub(crate) fn finish(self, summary: &Summary) -> (Cached, Option<Hit>) {
        let Keeper { keep, lane } = self;
        let written = lane.and_then(|lane| {
            lane.finish().unwrap_or_else(|| Err(io::Error::other("the thread that wrote it died")))
        });
        match written.and_then(|file| publish(&keep, file, summary)) {
            Ok(()) => (Cached::Kept, keep.cache.find(&keep.key)),
            Err(error) => (Cached::Failed(format!("`{}`: {error}", keep.cache.folder.display())), None),
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
/// nobody needs what it has.
fn write(
    file: NamedTempFile,
    limit: u64,
    parts: &Receiver<Part>,
    progress: &CopyProgress,
) -> io::Result<NamedTempFile> {
    let written = write_all(file.as_file(), limit, parts, progress);
    if let Err(error) = written {
        drop(file);
        progress.failed();
        parts.iter().for_each(drop); // whoever decodes must not be held up
        return Err(error);
    }
    Ok(file)
}

fn write_all(file: &File, limit: u64, parts: &Receiver<Part>, progress: &CopyProgress) -> io::Result<()> {
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

fn publish(keep: &Keep, file: NamedTempFile, summary: &Summary) -> io::Result<()> {
    if !keep.key.still_holds() {
        return Err(io::Error::other("the source changed while it was read"));
    }
    let folder = &keep.cache.folder;
    let _locked = lock(folder)?;
    evict::make_room(folder, keep.cache.limit, evict::disk_use(&file.as_file().metadata()?))?;
    file.persist(keep.cache.image_path(summary.decoded_sha256)).map_err(|e| e.error)?;
    let meta = Meta::of(summary, keep.key.block_map()).sealed(keep.key.digest())?;
    let mut description = tempfile::Builder::new().prefix(evict::TEMPORARY).tempfile_in(folder)?;
    description.write_all(&meta)?;
    description.persist(keep.cache.meta_path(&keep.key)).map_err(|e| e.error)?;
    Ok(())
}
