//! Decoded bytes on their way: as they are read, and cut into data, zeros and unmapped.

use bytes::Bytes;

use crate::{BLOCK, CHUNK, RangeKind};

/// Whether all bytes are zero: the first is, and each equals the one before. A comparison of memory is fast.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    match bytes {
        [] => true,
        [first, rest @ ..] => *first == 0 && *rest == bytes[..rest.len()],
    }
}

/// How many bytes the chunk at `offset` takes: the first one a block, the others up to the next multiple of 1 MiB.
pub(crate) fn chunk_length(offset: u64) -> usize {
    (if offset == 0 { BLOCK } else { CHUNK - offset % CHUNK }) as usize
}

/// Decoded bytes of at most 1 MiB, and which of their blocks need not be written.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    /// A bit for each block, the lowest for the first.
    pub(crate) unmapped: u16,
}

impl Chunk {
    /// Whether any of it is to be written: a block that is not left out, or that holds something all the same.
    pub(crate) fn matters(&self) -> bool {
        let left_out =
            (0..self.bytes.len().div_ceil(BLOCK as usize)).all(|block| self.unmapped >> block & 1 == 1);
        !left_out || !is_zero(&self.bytes)
    }
}

/// Bytes of one kind, in order and without gaps; never across a multiple of 1 MiB.
#[derive(Debug, Clone)]
pub(crate) struct TypedChunk {
    pub(crate) kind: RangeKind,
    pub(crate) bytes: Bytes,
}
