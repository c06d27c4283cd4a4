//! Where decoded bytes go: to the digest threads, to the cache, and as pieces to the consumer.

use std::io;

use bytes::Bytes;

use crate::backlog::{Closed, Producer};
use crate::bmap::Checker;
use crate::cache::Keeper;
use crate::chunk_hash::{ChunkHash, Lane};
use crate::image::Inner;
use crate::judge::Judge;
use crate::layer::Layer;
use crate::map::{Chunk, Joiner, Mapper, chunk_length};
use crate::{BLOCK, Cached, Error, Summary};

/// Why the work ends before its time.
pub(crate) enum Halt {
    /// Nobody listens any more.
    Dropped,
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        Halt::Failed(error)
    }
}

impl From<Closed> for Halt {
    fn from(Closed: Closed) -> Halt {
        Halt::Dropped
    }
}

/// Where chunks go: to the digest threads, and as pieces to the consumer.
pub(crate) struct Outlet<'w> {
    image: &'w Inner,
    events: &'w Producer,
    hash: ChunkHash,
    sums: Option<Sums>,
    keeper: Option<Keeper>,
    mapper: Mapper,
    joiner: Joiner,
    /// Whether any byte so far is one that the image cares about.
    matters: bool,
}

impl<'w> Outlet<'w> {
    /// For the source itself (`original`), or for a copy of what was checked and kept before.
    pub(crate) fn new(image: &'w Inner, events: &'w Producer, original: bool) -> Result<Outlet<'w>, Error> {
        let hash = ChunkHash::start().map_err(|e| machine(image, e.to_string()))?;
        let sums = if original { checker(image) } else { None };
        let sums = sums.transpose().map_err(|e| machine(image, e.to_string()))?;
        let keeper = image.keep.as_ref().filter(|_| original);
        let keeper = keeper.map(|keep| Keeper::start(keep, events.copy_progress()));
        let (mapper, joiner) = (Mapper::default(), Joiner::default());
        Ok(Outlet { image, events, hash, sums, keeper, mapper, joiner, matters: false })
    }

    /// Takes the whole image; `dont_care` has a bit for each block from an offset on that need not be written.
    pub(crate) fn take_all(
        &mut self,
        top: &mut dyn Layer,
        dont_care: impl Fn(u64) -> u16,
    ) -> Result<(), Halt> {
        let (mut length, mut judge) = (0, Judge::new(self.image));
        while let Some(mut chunk) = next_chunk(top, length)? {
            chunk.dont_care |= dont_care(length);
            judge.push(&chunk.bytes)?;
            self.matters = self.matters || chunk.matters();
            length += chunk.bytes.len() as u64;
            self.push(&chunk)?;
        }
        Ok(judge.end()?)
    }

    fn push(&mut self, chunk: &Chunk) -> Result<(), Halt> {
        let sums = self.sums.as_ref().is_none_or(|sums| sums.push(chunk.bytes.clone()));
        if !sums || !self.hash.push(&chunk.bytes) {
            return Err(digest_died(self.image).into());
        }
        self.mapper.push(chunk);
        self.send()
    }

    fn send(&mut self) -> Result<(), Halt> {
        for part in self.mapper.take() {
            if !self.hash.push_part(&part) {
                return Err(digest_died(self.image).into());
            }
            if let Some(keeper) = &self.keeper {
                keeper.push(&part);
            }
            for piece in self.joiner.push(part) {
                self.events.push(piece)?;
            }
        }
        // A long run of zeros sends nothing.
        if self.events.is_closed() { Err(Halt::Dropped) } else { Ok(()) }
    }

    /// The last pieces, all that is known of the decoded image alone, and the copy that waits for its name.
    pub(crate) fn finish(mut self) -> Result<(Summary, Option<Keeper>), Halt> {
        self.mapper.finish();
        self.send()?;
        if let Some(piece) = self.joiner.end() {
            self.events.push(piece)?;
        }
        let differs =
            self.sums.map(|sums| sums.finish().ok_or_else(|| digest_died(self.image))).transpose()?;
        if let (Some(found), Some((start, end))) = (&self.image.block_map, differs.flatten()) {
            let (label, map) = (self.image.label.clone(), found.label.clone());
            return Err(Error::MapDiffers { label, map, start, end: end - 1 }.into());
        }
        let (decoded_sha256, ranges) = self.hash.finish().ok_or_else(|| digest_died(self.image))?;
        let Joiner { data_length, zero_length, dont_care_length, .. } = self.joiner;
        if dont_care_length > 0 && !self.matters {
            return Err(Error::NoData { label: self.image.label.clone() }.into());
        }
        let summary = Summary {
            formats: Vec::new(),
            source_sha256: decoded_sha256,
            decoded_sha256,
            source_length: 0,
            decoded_length: data_length + zero_length + dont_care_length,
            data_length,
            zero_length,
            dont_care_length,
            ranges,
            checked: None,
            cached: Cached::No,
        };
        Ok((summary, self.keeper))
    }
}

/// A full chunk, unless the image ends. A block that matters in part matters.
fn next_chunk(top: &mut dyn Layer, offset: u64) -> Result<Option<Chunk>, Error> {
    let mut bytes = vec![0; chunk_length(offset)];
    let (mut filled, mut cared) = (0, 0u16);
    while filled < bytes.len() {
        let got = top.read(&mut bytes[filled..])?;
        if got.count == 0 {
            break;
        }
        let end = filled + got.count;
        if got.cared {
            cared |=
                (filled / BLOCK as usize..end.div_ceil(BLOCK as usize)).fold(0, |bits, at| bits | 1 << at);
        }
        filled = end;
    }
    bytes.truncate(filled);
    Ok((filled > 0).then(|| Chunk { bytes: bytes.into(), dont_care: !cared }))
}

/// Compares ranges; gives the beginning and end of the first that differs.
type Sums = Lane<Bytes, Option<(u64, u64)>>;

/// Verifies the checksums of the block map on a thread of its own.
fn checker(image: &Inner) -> Option<io::Result<Sums>> {
    let map = image.block_map.as_ref().map(|found| found.map.clone()).filter(|map| map.has_sums())?;
    Some(Lane::start("bmap-sums", move |chunks| Checker::new(map).run(&chunks)))
}

fn digest_died(image: &Inner) -> Error {
    machine(image, "a digest thread died".into())
}

/// A failure of this machine.
pub(crate) fn machine(image: &Inner, reason: String) -> Error {
    Error::Machine { label: image.label.clone(), reason }
}
