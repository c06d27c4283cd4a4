//! A layer between the stored bytes and the image: it reads the one below it and gives what that holds.

use crate::{Digest, Error, Format};

/// What one read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadResult {
    /// Bytes; none is the proven end.
    pub(crate) count: usize,
    /// Whether they must be on the medium.
    pub(crate) is_mapped: bool,
}

impl ReadResult {
    /// `count` bytes that matter.
    pub(crate) fn bytes(count: usize) -> ReadResult {
        ReadResult { count, is_mapped: true }
    }
}

/// What is known of the stored bytes after their end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredFacts {
    /// Their digest, if it was wanted.
    pub(crate) sha256: Option<Digest>,
    /// How many bytes.
    pub(crate) length: u64,
}

/// Bytes in order, to their proven end.
pub(crate) trait Layer {
    /// Reads some bytes into `output`, which has room.
    fn read(&mut self, output: &mut [u8]) -> Result<ReadResult, Error>;
    /// What was stored, once the end was reached.
    fn stored(&mut self) -> StoredFacts;
}

/// What an error of a layer tells: which image, and in which of its formats.
#[derive(Debug, Clone)]
pub(crate) struct LayerName {
    pub(crate) label: String,
    pub(crate) format: Format,
}

impl LayerName {
    pub(crate) fn corrupt(&self, offset: u64, reason: impl Into<String>) -> Error {
        Error::Corrupt { label: self.label.clone(), format: self.format, offset, reason: reason.into() }
    }

    pub(crate) fn truncated(&self, offset: u64) -> Error {
        Error::Truncated { label: self.label.clone(), format: self.format, offset }
    }

    pub(crate) fn garbage(&self, offset: u64) -> Error {
        Error::Garbage { label: self.label.clone(), format: self.format, offset }
    }

    pub(crate) fn memory(&self, limit: u64) -> Error {
        Error::Memory { label: self.label.clone(), format: self.format, limit }
    }

    pub(crate) fn unusable(&self, reason: impl Into<String>) -> Error {
        Error::Unusable { label: self.label.clone(), format: self.format, reason: reason.into() }
    }
}
