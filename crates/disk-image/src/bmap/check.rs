//! Verifies the checksums of a block map while the image passes by.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use bytes::Bytes;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use super::map::{Map, SumKind};

/// A checksum in the making.
enum RunningChecksum {
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl RunningChecksum {
    fn new(kind: SumKind) -> RunningChecksum {
        match kind {
            SumKind::Sha1 => RunningChecksum::Sha1(Sha1::new()),
            SumKind::Sha256 => RunningChecksum::Sha256(Sha256::new()),
            SumKind::Sha512 => RunningChecksum::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            RunningChecksum::Sha1(sum) => sum.update(bytes),
            RunningChecksum::Sha256(sum) => sum.update(bytes),
            RunningChecksum::Sha512(sum) => sum.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            RunningChecksum::Sha1(sum) => sum.finalize().to_vec(),
            RunningChecksum::Sha256(sum) => sum.finalize().to_vec(),
            RunningChecksum::Sha512(sum) => sum.finalize().to_vec(),
        }
    }
}

/// Takes the image from its beginning and compares each range of the map.
pub(crate) struct Checker {
    map: Arc<Map>,
    next: usize,
    offset: u64,
    sum: RunningChecksum,
    differs: Option<(u64, u64)>,
}

impl Checker {
    /// Verifies `map`.
    pub(crate) fn new(map: Arc<Map>) -> Checker {
        let sum = RunningChecksum::new(map.kind);
        Checker { map, next: 0, offset: 0, sum, differs: None }
    }

    /// Takes all chunks of an image; gives the beginning and end of the first range that differs.
    pub(crate) fn run(mut self, chunks: &Receiver<Bytes>) -> Option<(u64, u64)> {
        chunks.iter().for_each(|chunk| self.push(&chunk));
        self.differs
    }

    fn push(&mut self, chunk: &[u8]) {
        let end = self.offset + chunk.len() as u64;
        while let Some(range) = self.map.ranges.get(self.next).filter(|range| range.start < end) {
            let from = range.start.max(self.offset) - self.offset;
            let to = range.end.min(end) - self.offset;
            if range.sum.is_some() {
                self.sum.update(&chunk[from as usize..to as usize]);
            }
            if range.end > end {
                break;
            }
            self.end_range();
        }
        self.offset = end;
    }

    fn end_range(&mut self) {
        let found = std::mem::replace(&mut self.sum, RunningChecksum::new(self.map.kind)).finish();
        let range = &self.map.ranges[self.next];
        if range.sum.as_ref().is_some_and(|told| *told != found) && self.differs.is_none() {
            self.differs = Some((range.start, range.end));
        }
        self.next += 1;
    }
}
