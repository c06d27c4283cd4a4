//! Digests of the decoded image, made on two threads of their own while decoding goes on.

use std::io;
use std::sync::mpsc::Receiver;

use bytes::Bytes;

use crate::pipeline::chunk::TypedChunk;
use crate::pipeline::range_hash::RangeHash;
use crate::thread::{Worker, sha256};
use crate::{BLOCK, Digest, RANGE, Range, RangeKind};

/// The digest of all chunks, and one for each range of their parts.
pub(crate) struct ChunkHash {
    whole: Worker<Bytes, Digest>,
    ranges: Worker<TypedChunk, Vec<Range>>,
}

impl ChunkHash {
    /// Starts the threads.
    pub(crate) fn start() -> io::Result<ChunkHash> {
        Ok(ChunkHash {
            whole: Worker::start("image-sha256", sha256)?,
            ranges: Worker::start("range-sha256", ranges)?,
        })
    }

    /// Takes the next chunk. `false` if the thread died.
    pub(crate) fn push(&self, chunk: &Bytes) -> bool {
        self.whole.push(chunk.clone())
    }

    /// Takes the next part of what the chunks were. `false` if the thread died.
    pub(crate) fn push_typed(&self, part: &TypedChunk) -> bool {
        self.ranges.push(part.clone())
    }

    /// The digest of all chunks and the ranges; `None` if a thread died.
    pub(crate) fn finish(self) -> Option<(Digest, Vec<Range>)> {
        self.whole.finish().zip(self.ranges.finish())
    }
}

fn ranges(parts: Receiver<TypedChunk>) -> Vec<Range> {
    let mut ranges = Ranges::default();
    parts.iter().for_each(|part| ranges.push(&part));
    ranges.finish()
}

/// Ranges as parts make them.
#[derive(Default)]
struct Ranges {
    done: Vec<Range>,
    offset: u64,
    length: u64,
    kind: Option<RangeKind>,
    hash: RangeHash,
}

impl Ranges {
    fn push(&mut self, part: &TypedChunk) {
        let is_mapped = |kind: RangeKind| kind != RangeKind::Unmapped;
        if self.kind.is_some_and(|kind| is_mapped(kind) != is_mapped(part.kind)) {
            self.end();
        }
        self.hash.update(&part.bytes);
        self.length += part.bytes.len() as u64;
        self.kind = Some(match part.kind {
            RangeKind::Unmapped => RangeKind::Unmapped,
            _ if self.hash.is_zero() => RangeKind::Zero,
            _ => RangeKind::Data,
        });
        let end = self.offset + self.length;
        if end == BLOCK || end.is_multiple_of(RANGE) {
            self.end();
        }
    }

    fn end(&mut self) {
        let Some(kind) = self.kind.take() else { return };
        let (offset, length) = (self.offset, std::mem::take(&mut self.length));
        self.done.push(Range { offset, length, sha256: self.hash.finish(), kind });
        self.offset += length;
    }

    fn finish(mut self) -> Vec<Range> {
        self.end();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn ranges_end_at_unmapped_extents() {
        let (data, zero, unmapped) = (RangeKind::Data, RangeKind::Zero, RangeKind::Unmapped);
        let parts = [(zero, MIB - BLOCK), (unmapped, MIB), (unmapped, MIB), (data, 2), (zero, 3)];
        let mut ranges = Ranges::default();
        ranges.push(&part(data, BLOCK));
        parts.iter().for_each(|(kind, length)| ranges.push(&part(*kind, *length)));
        let expected =
            [(0, BLOCK, data), (BLOCK, MIB - BLOCK, zero), (MIB, 2 * MIB, unmapped), (3 * MIB, 5, data)];
        let found = ranges.finish();
        let shape: Vec<_> = found.iter().map(|range| (range.offset, range.length, range.kind)).collect();
        assert_eq!(shape, expected);
        assert_eq!(found[2].sha256, Digest::of(vec![0; 2 * MIB as usize]));
        assert_eq!(found[3].sha256, Digest::of([1, 1, 0, 0, 0]));
    }

    fn part(kind: RangeKind, length: u64) -> TypedChunk {
        TypedChunk { kind, bytes: vec![u8::from(kind == RangeKind::Data); length as usize].into() }
    }
}
