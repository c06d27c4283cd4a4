//! Digests of the decoded image, made on two threads of their own while decoding goes on.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::map::is_zero;
use crate::{BLOCK, Digest, RANGE, Range, RangeKind};

/// Chunks that wait for a digest thread.
const QUEUE: usize = 2;

/// The digest of all chunks, and one for each range of them.
pub(crate) struct ChunkHash {
    whole: Lane<Digest>,
    ranges: Lane<Vec<Range>>,
}

impl ChunkHash {
    /// Starts the threads.
    pub(crate) fn start() -> io::Result<ChunkHash> {
        Ok(ChunkHash {
            whole: Lane::start("image-sha256", whole)?,
            ranges: Lane::start("range-sha256", ranges)?,
        })
    }

    /// Takes the next chunk, which must not lie across the end of a range. `false` if a thread died.
    pub(crate) fn push(&self, chunk: &Bytes) -> bool {
        self.whole.chunks.send(chunk.clone()).is_ok() && self.ranges.chunks.send(chunk.clone()).is_ok()
    }

    /// The digest of all chunks and the ranges; `None` if a thread died.
    pub(crate) fn finish(self) -> Option<(Digest, Vec<Range>)> {
        self.whole.finish().zip(self.ranges.finish())
    }
}

struct Lane<T> {
    chunks: SyncSender<Bytes>,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Lane<T> {
    fn start(name: &str, work: fn(Receiver<Bytes>) -> T) -> io::Result<Lane<T>> {
        let (chunks, receiver) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || work(receiver))?;
        Ok(Lane { chunks, thread })
    }

    fn finish(self) -> Option<T> {
        drop(self.chunks);
        self.thread.join().ok()
    }
}

fn whole(chunks: Receiver<Bytes>) -> Digest {
    let mut hash = Sha256::new();
    chunks.iter().for_each(|chunk| hash.update(&chunk));
    digest(hash)
}

fn ranges(chunks: Receiver<Bytes>) -> Vec<Range> {
    let mut ranges = Vec::new();
    let (mut offset, mut length, mut zero, mut hash) = (0, 0, true, Sha256::new());
    for chunk in chunks {
        hash.update(&chunk);
        length += chunk.len() as u64;
        zero &= is_zero(&chunk);
        if offset + length == BLOCK || (offset + length) % RANGE == 0 {
            ranges.push(range(offset, length, zero, std::mem::take(&mut hash)));
            (offset, length, zero) = (offset + length, 0, true);
        }
    }
    if length > 0 {
        ranges.push(range(offset, length, zero, hash));
    }
    ranges
}

fn range(offset: u64, length: u64, zero: bool, hash: Sha256) -> Range {
    Range { offset, length, sha256: digest(hash), kind: if zero { RangeKind::Zero } else { RangeKind::Data } }
}

fn digest(hash: Sha256) -> Digest {
    <[u8; 32]>::from(hash.finalize()).into()
}
