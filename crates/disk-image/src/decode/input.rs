//! A layer as a buffer that is filled, peeked into and consumed, with its offset.

use crate::Error;
use crate::decode::layer::{Layer, LayerName, ReadResult, StoredFacts};

const BUFFER: usize = 256 * 1024;

/// Buffered bytes of a layer.
pub(crate) struct LayerInput {
    layer: Box<dyn Layer>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    consumed: u64,
    ended: bool,
}

impl LayerInput {
    /// Reads from `layer`.
    pub(crate) fn new(layer: Box<dyn Layer>) -> LayerInput {
        LayerInput { layer, buffer: vec![0; BUFFER], start: 0, end: 0, consumed: 0, ended: false }
    }

    /// Bytes consumed so far.
    pub(crate) fn offset(&self) -> u64 {
        self.consumed
    }

    /// What is buffered; reads if that is nothing. Empty only at the end of the source.
    pub(crate) fn fill(&mut self) -> Result<&[u8], Error> {
        self.peek(1)
    }

    /// What is buffered, at least `wanted` bytes of it (at most 256 KiB) unless the source ends before.
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

    /// Fills `output`; a source that ends before is truncated.
    pub(crate) fn take(&mut self, output: &mut [u8], named: &LayerName) -> Result<(), Error> {
        let mut filled = 0;
        while filled < output.len() {
            match self.read_some(&mut output[filled..])? {
                0 => return Err(named.truncated(self.consumed)),
                count => filled += count,
            }
        }
        Ok(())
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self, named: &LayerName) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.take(&mut bytes, named)?;
        Ok(bytes)
    }

    /// Leaves `count` bytes out.
    pub(crate) fn skip(&mut self, count: u64, named: &LayerName) -> Result<(), Error> {
        let mut left = count;
        while left > 0 {
            let ahead = self.fill()?.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if ahead == 0 {
                return Err(named.truncated(self.consumed));
            }
            self.consume(ahead);
            left -= ahead as u64;
        }
        Ok(())
    }

    /// Some bytes, past the buffer when that is empty; none at the end.
    pub(crate) fn read_some(&mut self, output: &mut [u8]) -> Result<usize, Error> {
        let count = match (self.end - self.start, self.ended) {
            (0, true) => 0,
            (0, false) => {
                let count = self.layer.read(output)?.count;
                self.ended = count == 0;
                self.consumed += count as u64;
                return Ok(count);
            }
            (buffered, _) => buffered.min(output.len()),
        };
        output[..count].copy_from_slice(&self.buffer[self.start..self.start + count]);
        self.consume(count);
        Ok(count)
    }

    fn read_more(&mut self) -> Result<(), Error> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let count = self.layer.read(&mut self.buffer[self.end..])?.count;
        self.end += count;
        self.ended = count == 0;
        Ok(())
    }
}

impl Layer for LayerInput {
    fn read(&mut self, output: &mut [u8]) -> Result<ReadResult, Error> {
        self.read_some(output).map(ReadResult::bytes)
    }

    fn stored(&mut self) -> StoredFacts {
        self.layer.stored()
    }
}
