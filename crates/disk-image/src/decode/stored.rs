//! The lowest layer of an image: its stored bytes, from a file, a block device or a transfer.

use std::io;

use bytes::Bytes;

use crate::decode::layer::{Layer, ReadResult, StoredFacts};
use crate::source::body::Body;
use crate::source::file::FileSource;
use crate::thread::{Worker, sha256};
use crate::{Digest, Error};

/// Stored bytes in order. The end is only reported when it is where it was expected.
pub(crate) enum Source {
    File(FileSource),
    Body(Body),
}

impl Source {
    /// Reads some bytes into `buffer`; 0 is the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match self {
            Source::File(file) => file.read(buffer),
            Source::Body(body) => body.read(buffer),
        }
    }
}

/// The lowest layer: the stored bytes, counted and, if wanted, hashed by a thread of its own.
pub(crate) struct BaseLayer {
    source: Source,
    length: u64,
    hash: Option<Worker<Bytes, Digest>>,
}

impl BaseLayer {
    /// Reads `source` without a digest of it.
    pub(crate) fn new(source: Source) -> BaseLayer {
        BaseLayer { source, length: 0, hash: None }
    }

    /// Reads `source`, of which the digest is wanted.
    pub(crate) fn hashed(source: Source) -> io::Result<BaseLayer> {
        let hash = Some(Worker::start("source-sha256", sha256)?);
        Ok(BaseLayer { source, length: 0, hash })
    }
}

impl Layer for BaseLayer {
    fn read(&mut self, output: &mut [u8]) -> Result<ReadResult, Error> {
        let count = self.source.read(output)?;
        self.length += count as u64;
        if let Some(hash) = &self.hash {
            // A thread that died gives no digest in the end.
            let _ = hash.push(Bytes::copy_from_slice(&output[..count]));
        }
        Ok(ReadResult::bytes(count))
    }

    fn stored(&mut self) -> StoredFacts {
        StoredFacts { sha256: self.hash.take().and_then(Worker::finish), length: self.length }
    }
}
