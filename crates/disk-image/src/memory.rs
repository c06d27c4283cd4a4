//! The first stored bytes of a source as a layer, to look into them.

use crate::Error;
use crate::layer::{Got, Layer, Stored};

/// Bytes that are here already.
pub(crate) struct Memory {
    bytes: Vec<u8>,
    at: usize,
    /// Whether the source has no more.
    whole: bool,
}

impl Memory {
    /// The first `bytes` of a source, or all of it when it is `whole`.
    pub(crate) fn new(bytes: Vec<u8>, whole: bool) -> Memory {
        Memory { bytes, at: 0, whole }
    }
}

impl Layer for Memory {
    fn read(&mut self, output: &mut [u8]) -> Result<Got, Error> {
        let left = &self.bytes[self.at..];
        if left.is_empty() && !self.whole {
            return Err(Error::Ended { label: String::new() });
        }
        let count = left.len().min(output.len());
        output[..count].copy_from_slice(&left[..count]);
        self.at += count;
        Ok(Got::bytes(count))
    }

    fn stored(&mut self) -> Stored {
        Stored { sha256: None, length: self.at as u64 }
    }
}
