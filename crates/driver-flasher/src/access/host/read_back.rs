//! What the medium holds: read around the page cache, and hashed here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use disk_image::{Digest, Range};
use flasher_core::{CancellationToken, Class, Error, Result};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::disk::{AlignedBuffer, Disk};
use super::watch::not_wanted;
use super::window::Window;
use crate::access::{Broken, Incoming, Stretch, Take};
use crate::job::Count;

/// Most that is read at once, bytes.
const CHUNK: u64 = 4 << 20;
/// Ranges that are read and hashed at the same time: while one is hashed, the device reads another.
const READERS: usize = 2;
/// Chunks that wait for their reader.
const WAITING: usize = 4;

/// What is read.
pub(super) struct Reading {
    pub(super) window: Window,
    /// Index and range of each.
    pub(super) ranges: Vec<(usize, Range)>,
    pub(super) count: Option<Arc<Count>>,
}

/// Digests of the ranges, each by its index. Blocks.
pub(super) fn digests(
    disk: &Disk,
    reading: &Reading,
    stop: &CancellationToken,
) -> Result<BTreeMap<usize, Digest>> {
    let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
    let found: Mutex<Result<BTreeMap<usize, Digest>>> = Mutex::new(Ok(BTreeMap::new()));
    let reader = || {
        let mut buffer = AlignedBuffer::new(CHUNK as usize);
        while let Some((index, range)) = reading.ranges.get(next.fetch_add(1, Ordering::SeqCst)) {
            let digest = hash(disk, reading.window, range, &mut buffer, stop);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            match (digest, found.as_mut()) {
                (Ok(digest), Ok(all)) => drop(all.insert(*index, digest)),
                (Err(error), Ok(_)) => *found = Err(error),
                (_, Err(_)) => return,
            }
            let now = done.fetch_add(range.length, Ordering::SeqCst) + range.length;
            if let Some(count) = &reading.count {
                count.at(now);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..READERS.min(reading.ranges.len()) {
            scope.spawn(reader);
        }
        reader();
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn hash(
    disk: &Disk,
    window: Window,
    range: &Range,
    buffer: &mut AlignedBuffer,
    stop: &CancellationToken,
) -> Result<Digest> {
    let mut hash = Sha256::new();
    let stretch = Stretch { offset: range.offset, length: range.length };
    each(disk, window, stretch, buffer, stop, |bytes| {
        hash.update(bytes);
        Ok(())
    })?;
    Ok(<[u8; 32]>::from(hash.finalize()).into())
}

/// Hands the bytes of a stretch to `take`, chunk by chunk.
fn each(
    disk: &Disk,
    window: Window,
    stretch: Stretch,
    buffer: &mut AlignedBuffer,
    stop: &CancellationToken,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let sector = disk.sector;
    let mut at = window.place(stretch.offset, stretch.length)?;
    let end = at + stretch.length;
    while at < end {
        if stop.is_cancelled() {
            return Err(not_wanted());
        }
        let from = at / sector * sector;
        let to = end.next_multiple_of(sector).min(from + CHUNK);
        let length = (to - from) as usize;
        disk.read(from, buffer.first_mut(length))?;
        let wanted = (at - from) as usize..(end.min(to) - from) as usize;
        take(&buffer.first(length)[wanted])?;
        at = end.min(to);
    }
    Ok(())
}

/// Hands the bytes of these stretches to `take`, on a thread of its own. Blocks.
pub(super) fn read(
    disk: &Disk,
    window: Window,
    stretches: &[Stretch],
    take: Take,
    stop: &CancellationToken,
) -> Result<()> {
    let length = stretches.iter().map(|stretch| stretch.length).sum();
    let (sender, chunks) = mpsc::channel(WAITING);
    std::thread::scope(|scope| {
        let taking = scope.spawn(move || take(Incoming::new(length, chunks)));
        let mut buffer = AlignedBuffer::new(CHUNK as usize);
        let mut sent = Ok(());
        for stretch in stretches {
            let chunk =
                |bytes: &[u8]| sender.blocking_send(Bytes::copy_from_slice(bytes)).map_err(|_| not_wanted());
            sent = sent.and_then(|()| each(disk, window, *stretch, &mut buffer, stop, chunk));
        }
        drop(sender);
        let taken = taking.join();
        // Who takes knows why it stopped; otherwise the reading does.
        match (taken, sent) {
            (Ok(Err(Broken::Ours(error))), _) | (_, Err(error)) => Err(error),
            (Ok(Err(Broken::Bytes(reason))), Ok(())) => Err(Error::new(Class::Medium, reason)),
            (Ok(Ok(())), Ok(())) => Ok(()),
            (Err(_), Ok(())) => {
                Err(Error::new(Class::Internal, "a thread that takes bytes ended unexpectedly"))
            }
        }
    })
}
