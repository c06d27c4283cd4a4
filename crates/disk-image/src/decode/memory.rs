//! The first stored bytes of a source as a layer, to look into them.

use crate::Error;
use crate::decode::layer::{Layer, ReadResult, StoredFacts};

/// Bytes that are here already.
pub(crate) struct InMemory {
    bytes: Vec<u8>,
    at: usize,
    /// Whether the source has no more.
    whole: bool,
}

impl InMemory {
    /// The first `bytes` of a source, or all of it when it is `whole`.
    pub(crate) fn new(bytes: Vec<u8>, whole: bool) -> InMemory {
        InMemory { bytes, at: 0, whole }
    }
}

impl Layer for InMemory {
    fn read(&mut self, output: &mut [u8]) -> Result<ReadResult, Error> {
        let left = &self.bytes[self.at..];
        if left.is_empty() && !self.whole {
            return Err(Error::Ended { label: String::new() });
        }
        let count = left.len().min(output.len());
        output[..count].copy_from_slice(&left[..count]);
        self.at += count;
        Ok(ReadResult::bytes(count))
    }

    fn stored(&mut self) -> StoredFacts {
        StoredFacts { sha256: None, length: self.at as u64 }
    }
}
