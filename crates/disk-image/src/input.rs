//! The source as a buffer that is filled, peeked into and consumed, with its offset and digest.

use sha2::{Digest as _, Sha256};

use crate::source::Source;
use crate::{Digest, Error};

const BUFFER: usize = 256 * 1024;

/// Buffered bytes of a source. Every byte that is read is hashed, if a digest of the source is wanted.
pub(crate) struct Input {
    source: Source,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    consumed: u64,
    ended: bool,
    hash: Option<Sha256>,
}

impl Input {
    /// Reads from `source`; `hashed` says whether its digest is wanted.
    pub(crate) fn new(source: Source, hashed: bool) -> Input {
        let hash = hashed.then(Sha256::new);
        Input { source, buffer: vec![0; BUFFER], start: 0, end: 0, consumed: 0, ended: false, hash }
    }

    /// Bytes consumed so far.
    pub(crate) fn offset(&self) -> u64 {
        self.consumed
    }

    /// What is buffered; reads if that is nothing. Empty only at the end of the source.
    pub(crate) fn fill(&mut self) -> Result<&[u8], Error> {
        self.peek(1)
    }

    /// What is buffered, at least `wanted` bytes of it unless the source ends before.
    pub(crate) fn peek(&mut self, wanted: usize) -> Result<&[u8], Error> {
        while self.end - self.start < wanted && !self.ended {
            self.read_more()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Takes `count` of the buffered bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        self.consumed += count as u64;
    }

    /// The digest of all that was read, if it was wanted, and its length.
    pub(crate) fn finish(self) -> (Option<Digest>, u64) {
        (self.hash.map(|hash| <[u8; 32]>::from(hash.finalize()).into()), self.consumed)
    }

    fn read_more(&mut self) -> Result<(), Error> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let count = self.source.read(&mut self.buffer[self.end..])?;
        if let Some(hash) = &mut self.hash {
            hash.update(&self.buffer[self.end..self.end + count]);
        }
        self.end += count;
        self.ended = count == 0;
        Ok(())
    }
}
