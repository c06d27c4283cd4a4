//! The decoding thread: reads, decodes, cuts into pieces, has everything hashed, and proves the end.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use crate::bmap::Checker;
use crate::chunk_hash::{ChunkHash, Lane};
use crate::decoding::Event;
use crate::format::foreign;
use crate::image::Inner;
use crate::layer::{Layer, Peeled, Stored, peel};
use crate::map::{Chunk, Joiner, Mapper, chunk_length};
use crate::source::{Bottom, Source};
use crate::{BLOCK, Checked, Digest, Error, Format, Piece, Summary};

/// Why the work ends before its time.
enum Halt {
    /// Nobody listens any more.
    Dropped,
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Halt {
        Halt::Failed(error)
    }
}

/// Decodes `source` as `image` says and sends pieces, then the summary or an error.
pub(crate) fn run(image: &Arc<Inner>, source: Result<Source, Error>, events: &Sender<Result<Event, Error>>) {
    let last = match source.map_err(Halt::from).and_then(|source| decode(image, source, events)) {
        Ok(summary) => Ok(Event::End(summary)),
        Err(Halt::Failed(error)) => Err(error),
        Err(Halt::Dropped) => return,
    };
    // A consumer that has gone in the meantime needs no result.
    let _ = events.blocking_send(last);
}

fn decode(image: &Inner, source: Source, events: &Sender<Result<Event, Error>>) -> Result<Summary, Halt> {
    let bottom = Bottom::new(source, image.format != Format::Raw); // the digest of a raw source is that of the image
    let Peeled { mut top, formats, .. } = peel(&image.label, Box::new(bottom))?;
    check_format(image, formats.first())?;
    let mut outlet = Outlet::new(image, events)?;
    let mut length = 0;
    while let Some(mut chunk) = next_chunk(top.as_mut(), length)? {
        chunk.dont_care |= image.block_map.as_ref().map_or(0, |found| found.map.dont_care(length));
        refuse_foreign(image, length, &chunk.bytes)?;
        length += chunk.bytes.len() as u64;
        outlet.push(&chunk)?;
    }
    let made = outlet.finish()?;
    let Stored { sha256, length: source_length } = top.stored();
    let source_sha256 = sha256.unwrap_or(made.decoded_sha256);
    check_length(image, source_length, length)?;
    if let Some(found) = &image.block_map {
        found.check_length(&image.label, length)?;
    }
    check_same(image, source_sha256)?;
    let checked = check_digest(image, source_sha256, made.decoded_sha256)?;
    Ok(Summary { formats, source_sha256, source_length, decoded_length: length, checked, ..made })
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

/// Where chunks go: to the digest threads, and as pieces to the consumer.
struct Outlet<'w> {
    image: &'w Inner,
    events: &'w Sender<Result<Event, Error>>,
    hash: ChunkHash,
    sums: Option<Sums>,
    mapper: Mapper,
    joiner: Joiner,
}

impl<'w> Outlet<'w> {
    fn new(image: &'w Inner, events: &'w Sender<Result<Event, Error>>) -> Result<Outlet<'w>, Error> {
        let hash = ChunkHash::start().map_err(|e| machine(image, e.to_string()))?;
        let sums = checker(image).transpose().map_err(|e| machine(image, e.to_string()))?;
        Ok(Outlet { image, events, hash, sums, mapper: Mapper::default(), joiner: Joiner::default() })
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
            for piece in self.joiner.push(part) {
                send(piece, self.events)?;
            }
        }
        // A long run of zeros sends nothing.
        if self.events.is_closed() { Err(Halt::Dropped) } else { Ok(()) }
    }

    /// The last pieces, and all that is known of the decoded image alone.
    fn finish(mut self) -> Result<Summary, Halt> {
        self.mapper.finish();
        self.send()?;
        if let Some(piece) = self.joiner.end() {
            send(piece, self.events)?;
        }
        let differs =
            self.sums.map(|sums| sums.finish().ok_or_else(|| digest_died(self.image))).transpose()?;
        if let (Some(found), Some((start, end))) = (&self.image.block_map, differs.flatten()) {
            let (label, map) = (self.image.label.clone(), found.label.clone());
            return Err(Error::MapDiffers { label, map, start, end: end - 1 }.into());
        }
        let (decoded_sha256, ranges) = self.hash.finish().ok_or_else(|| digest_died(self.image))?;
        let Joiner { data_length, zero_length, dont_care_length, .. } = self.joiner;
        Ok(Summary {
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
        })
    }
}

fn send(piece: Piece, events: &Sender<Result<Event, Error>>) -> Result<(), Halt> {
    events.blocking_send(Ok(Event::Piece(piece))).map_err(|_| Halt::Dropped)
}

/// Verifies the checksums of the block map on a thread of its own.
fn checker(image: &Inner) -> Option<io::Result<Sums>> {
    let map = image.block_map.as_ref().map(|found| found.map.clone()).filter(|map| map.has_sums())?;
    Some(Lane::start("bmap-sums", move |chunks| Checker::new(map).run(&chunks)))
}

fn digest_died(image: &Inner) -> Error {
    machine(image, "a digest thread died".into())
}

/// What is compressed may also be something that must not be written as it is.
fn refuse_foreign(image: &Inner, offset: u64, chunk: &[u8]) -> Result<(), Error> {
    match foreign(chunk) {
        Some(found) if offset == 0 => Err(Error::Unsupported { label: image.label.clone(), found }),
        _ => Ok(()),
    }
}

fn check_length(image: &Inner, source_length: u64, length: u64) -> Result<(), Error> {
    let (label, format) = (image.label.clone(), image.format);
    match image.decoded_length {
        _ if length == 0 => Err(Error::EmptyImage { label, format }),
        Some(told) if told != length => {
            let reason = format!("it tells a length of {told} bytes and decodes to {length}");
            Err(Error::Corrupt { label, format, offset: source_length, reason })
        }
        _ => Ok(()),
    }
}

/// The source must still have the format that it was opened with.
fn check_format(image: &Inner, now: Option<&Format>) -> Result<(), Error> {
    let (before, now) = (image.format, now.copied().unwrap_or(Format::Raw));
    match before == now {
        true => Ok(()),
        false => Err(Error::Changed {
            label: image.label.clone(),
            before: format!("{before} data"),
            now: format!("{now} data"),
        }),
    }
}

/// A source decoded twice must be the same both times.
fn check_same(image: &Inner, now: Digest) -> Result<(), Error> {
    let before = *image.source_sha256.get_or_init(|| now);
    if before == now {
        return Ok(());
    }
    let told = |digest| format!("sha256 {digest}");
    Err(Error::Changed { label: image.label.clone(), before: told(before), now: told(now) })
}

fn check_digest(image: &Inner, source: Digest, decoded: Digest) -> Result<Option<Checked>, Error> {
    match image.sha256 {
        None => Ok(None),
        Some(expected) if expected == source => Ok(Some(Checked::Source)),
        Some(expected) if expected == decoded => Ok(Some(Checked::Decoded)),
        Some(expected) => Err(Error::DigestDiffers {
            label: image.label.clone(),
            expected,
            source_sha256: source,
            decoded_sha256: decoded,
        }),
    }
}

fn machine(image: &Inner, reason: String) -> Error {
    Error::Machine { label: image.label.clone(), reason }
}
