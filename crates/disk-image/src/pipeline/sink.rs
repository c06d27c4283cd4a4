//! Where decoded bytes go: to the digest threads, to the cache, and as extents to the consumer.

use std::io;

use bytes::Bytes;

use crate::bmap::Checker;
use crate::decode::layer::Layer;
use crate::pipeline::backlog::{Closed, Producer};
use crate::pipeline::cache_writer::CacheWriter;
use crate::pipeline::chunk::{Chunk, TypedChunk, chunk_length};
use crate::pipeline::chunk_hash::ChunkHash;
use crate::pipeline::content_check::ContentCheck;
use crate::pipeline::image_state::ImageState;
use crate::pipeline::left_alone::LeftAlone;
use crate::pipeline::map::{ExtentBuilder, Mapper};
use crate::thread::Worker;
use crate::{BLOCK, Cached, Error, Summary};

/// Why the work ends before its time.
pub(crate) enum Stopped {
    /// The consumer is gone.
    Dropped,
    Failed(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Stopped {
        Stopped::Failed(error)
    }
}

impl From<Closed> for Stopped {
    fn from(Closed: Closed) -> Stopped {
        Stopped::Dropped
    }
}

/// Where chunks go: to the digest threads, and as extents to the consumer.
pub(crate) struct DecodedSink<'w> {
    image: &'w ImageState,
    events: &'w Producer,
    hash: ChunkHash,
    sums: Option<Sums>,
    cache_writer: Option<CacheWriter>,
    mapper: Mapper,
    left_alone: LeftAlone<'w>,
    joiner: ExtentBuilder,
    /// Whether any byte so far is one that the image cares about.
    matters: bool,
}

impl<'w> DecodedSink<'w> {
    /// For the source itself (`original`), or for a copy of what was checked and kept before.
    pub(crate) fn new(
        image: &'w ImageState,
        events: &'w Producer,
        original: bool,
    ) -> Result<DecodedSink<'w>, Error> {
        let hash = ChunkHash::start().map_err(|e| machine(image, e.to_string()))?;
        // The block map of an archive is known only once the image was decoded.
        let unchecked = original || image.has_archive_map();
        let sums = if unchecked { checker(image) } else { None };
        let sums = sums.transpose().map_err(|e| machine(image, e.to_string()))?;
        let cache_writer = image.cache_slot.as_ref().filter(|_| original);
        let cache_writer =
            cache_writer.map(|cache_slot| CacheWriter::start(cache_slot, events.copy_progress()));
        let (mapper, joiner) = (Mapper::default(), ExtentBuilder::default());
        let left_alone = LeftAlone::new(image.left_alone());
        Ok(DecodedSink {
            image,
            events,
            hash,
            sums,
            cache_writer,
            mapper,
            left_alone,
            joiner,
            matters: false,
        })
    }

    /// Takes the whole image; `unmapped` has a bit for each block from an offset on that need not be written.
    pub(crate) fn take_all(
        &mut self,
        top: &mut dyn Layer,
        unmapped: impl Fn(u64) -> u16,
    ) -> Result<(), Stopped> {
        let (mut length, mut judge) = (0, ContentCheck::new(self.image));
        while let Some(mut chunk) = next_chunk(top, length)? {
            chunk.unmapped |= unmapped(length);
            judge.push(&chunk.bytes)?;
            self.matters = self.matters || chunk.matters();
            length += chunk.bytes.len() as u64;
            self.push(&chunk)?;
        }
        Ok(judge.end()?)
    }

    fn push(&mut self, chunk: &Chunk) -> Result<(), Stopped> {
        let sums = self.sums.as_ref().is_none_or(|sums| sums.push(chunk.bytes.clone()));
        if !sums || !self.hash.push(&chunk.bytes) {
            return Err(digest_died(self.image).into());
        }
        self.mapper.push(chunk);
        self.send()
    }

    fn send(&mut self) -> Result<(), Stopped> {
        for part in self.mapper.take() {
            if let Some(cache_writer) = &self.cache_writer {
                cache_writer.push(&part);
            }
            for part in self.left_alone.cut(part) {
                self.hand_on(part)?;
            }
        }
        // A long run of zeros sends nothing.
        if self.events.is_closed() { Err(Stopped::Dropped) } else { Ok(()) }
    }

    fn hand_on(&mut self, part: TypedChunk) -> Result<(), Stopped> {
        if !self.hash.push_typed(&part) {
            return Err(digest_died(self.image).into());
        }
        for extent in self.joiner.push(part) {
            self.events.push(extent)?;
        }
        Ok(())
    }

    /// The last extents, all that is known of the decoded image alone, and the copy that waits for its name.
    pub(crate) fn finish(mut self) -> Result<(Summary, Option<CacheWriter>), Stopped> {
        self.mapper.finish();
        self.send()?;
        if let Some(extent) = self.joiner.end() {
            self.events.push(extent)?;
        }
        let differs =
            self.sums.map(|sums| sums.finish().ok_or_else(|| digest_died(self.image))).transpose()?;
        if let (Some(found), Some((start, end))) = (self.image.block_map(), differs.flatten()) {
            let (label, map) = (self.image.label.clone(), found.label.clone());
            return Err(Error::MapDiffers { label, map, start, end: end - 1 }.into());
        }
        let (decoded_sha256, ranges) = self.hash.finish().ok_or_else(|| digest_died(self.image))?;
        let ExtentBuilder { data_length, zero_length, unmapped_length, .. } = self.joiner;
        if unmapped_length > 0 && !self.matters {
            return Err(Error::NoData { label: self.image.label.clone() }.into());
        }
        let summary = Summary {
            formats: Vec::new(),
            source_sha256: decoded_sha256,
            decoded_sha256,
            source_length: 0,
            decoded_length: data_length + zero_length + unmapped_length,
            data_length,
            zero_length,
            unmapped_length,
            ranges,
            checked: None,
            cached: Cached::No,
        };
        Ok((summary, self.cache_writer))
    }
}

/// A full chunk, unless the image ends. A block that matters in part matters.
fn next_chunk(top: &mut dyn Layer, offset: u64) -> Result<Option<Chunk>, Error> {
    let mut bytes = vec![0; chunk_length(offset)];
    let (mut filled, mut is_mapped) = (0, 0u16);
    while filled < bytes.len() {
        let read_result = top.read(&mut bytes[filled..])?;
        if read_result.count == 0 {
            break;
        }
        let end = filled + read_result.count;
        if read_result.is_mapped {
            is_mapped |=
                (filled / BLOCK as usize..end.div_ceil(BLOCK as usize)).fold(0, |bits, at| bits | 1 << at);
        }
        filled = end;
    }
    bytes.truncate(filled);
    Ok((filled > 0).then(|| Chunk { bytes: bytes.into(), unmapped: !is_mapped }))
}

/// Compares ranges; gives the beginning and end of the first that differs.
type Sums = Worker<Bytes, Option<(u64, u64)>>;

/// Verifies the checksums of the block map on a thread of its own.
fn checker(image: &ImageState) -> Option<io::Result<Sums>> {
    let map = image.block_map().map(|found| found.map.clone()).filter(|map| map.has_sums())?;
    Some(Worker::start("bmap-sums", move |chunks| Checker::new(map).run(&chunks)))
}

fn digest_died(image: &ImageState) -> Error {
    machine(image, "a digest thread died".into())
}

/// A failure of this machine.
pub(crate) fn machine(image: &ImageState, reason: String) -> Error {
    Error::Machine { label: image.label.clone(), reason }
}
