//! What the medium holds, read into memory that held something else: its SHA-256 where U-Boot computes one, else its CRC-32 and
//! a comparison, byte for byte, with bytes of the image that are loaded once more.

use std::collections::BTreeMap;

use bytes::Bytes;
use disk_image::{Digest, Range, RangeKind};
use flasher_core::flash::{CacheBypass, DigestsBy};
use flasher_core::{Class, Error, Result};

use super::enter::{BootLoader, Window, must_succeed};
use super::expected::ExpectedBytes;
use super::load::{StagedChunk, crc_of_zeros, stage, unclear};
use super::{answers, dump, send};
use crate::access::{ReadEvidence, Target, Wanted};
use crate::config::ReadBack;

/// How often the board is asked for a digest before its answers count as lost.
const ASKED: u32 = 3;

/// What a part of a range should hold.
enum Part {
    Zeros(u64),
    Data(Bytes),
}

/// Digests of the wanted ranges. One that is not there was compared and differs.
pub(super) async fn digests(
    loader: &mut BootLoader<'_>,
    target: &Target,
    wanted: Wanted<'_>,
    evidence: &mut ReadEvidence,
) -> Result<BTreeMap<usize, Digest>> {
    let window = loader.window(&target.device)?;
    evidence.cache_bypass = Some(CacheBypass::Bootloader);
    let mut expected = wanted.image.map(ExpectedBytes::of);
    let (mut digests, mut done) = (BTreeMap::new(), 0);
    for index in wanted.indices {
        let range = &wanted.ranges[*index];
        let (found, who) = match &mut expected {
            _ if is_sent(loader) => (Some(send::digest(loader, &window, range).await?), DigestsBy::Exporter),
            _ if loader.hash.is_some() => (hashed(loader, &window, range).await?, DigestsBy::Board),
            Some(expected) => {
                let is_equal = is_equal(loader, &window, range, expected).await?;
                (is_equal.then_some(range.sha256), DigestsBy::Compared)
            }
            None if loader.has_put => {
                (Some(send::digest(loader, &window, range).await?), DigestsBy::Exporter)
            }
            None => {
                let bytes = dump::bytes(loader, &window, range.offset, range.length).await?;
                (Some(Digest::of(&bytes)), DigestsBy::Exporter)
            }
        };
        evidence.made_by(who);
        digests.extend(found.map(|digest| (*index, digest)));
        done += range.length;
        if let Some(count) = wanted.count {
            count.at(done);
        }
    }
    wanted.settle();
    Ok(digests)
}

/// Whether the bytes travel and the digests are made here. U-Boot sends block by block and waits for the answer to each, so
/// that is slower than a comparison on most networks, and done where the config asks for it.
fn is_sent(loader: &BootLoader<'_>) -> bool {
    loader.has_put && loader.session.flasher.config.read_back == ReadBack::Network
}

impl BootLoader<'_> {
    /// Reads bytes of the medium; gives the address where they begin. The memory holds something else before: a reading that
    /// brings nothing must not find what was read or loaded last.
    pub(super) async fn read_fresh(&mut self, window: &Window, offset: u64, length: u64) -> Result<u64> {
        let span = window.span(offset, length)?;
        let (address, length) = (self.areas.read, span.count * window.block);
        let other = self.session.run.other_word(offset);
        self.fill(address, length, other).await?;
        self.read_blocks(window, span, address).await?;
        Ok(address + span.head)
    }

    /// Makes the first `length` bytes of the load area zeros, unless they are.
    pub(super) async fn zero_memory(&mut self, length: u64) -> Result<()> {
        if self.zeros < length {
            self.fill(self.areas.load, length, 0).await?;
            self.zeros = length;
        }
        Ok(())
    }

    /// Makes bytes in memory zeros, and no others.
    pub(super) async fn zero_bytes(&mut self, address: u64, length: u64) -> Result<()> {
        let answer = self.compute(&format!("mw.b {address:#x} 0 {length:x}")).await?;
        must_succeed("mw", &answer)
    }

    /// Whether bytes in memory at two addresses are the same.
    async fn same(&mut self, one: u64, other: u64, length: u64) -> Result<bool> {
        let is_whole = [one, other, length].iter().all(|number| number.is_multiple_of(4));
        let (unit, count) = if is_whole { ('l', length / 4) } else { ('b', length) };
        let answer = self.compute(&format!("cmp.{unit} {one:#x} {other:#x} {count:x}")).await?;
        match answer.status {
            0 => Ok(true),
            1 if answer.output.contains(" were the same") => Ok(false),
            _ => must_succeed("cmp", &answer).map(|()| false),
        }
    }
}

/// SHA-256 of a range, as U-Boot computes it. One that is not the expected one is asked for again: the console may have changed it.
async fn hashed(loader: &mut BootLoader<'_>, window: &Window, range: &Range) -> Result<Option<Digest>> {
    let address = loader.read_fresh(window, range.offset, range.length).await?;
    let hash = loader.hash.unwrap_or("hash sha256");
    let command = format!("{hash} {address:#x} {:x}", range.length);
    let wanted = range.sha256.to_string();
    let mut before: Option<String> = None;
    for _ in 0..ASKED {
        let answer = loader.compute(&command).await?;
        let Some(digest) = answers::sha256(&answer.output).filter(|_| answer.status == 0) else { continue };
        if digest == wanted || before.as_ref() == Some(&digest) {
            return Ok(digest.parse().ok());
        }
        before = Some(digest);
    }
    Err(unclear("hash"))
}

/// Whether the medium holds a range of the image, compared part by part.
async fn is_equal(
    loader: &mut BootLoader<'_>,
    window: &Window,
    range: &Range,
    expected: &mut ExpectedBytes<'_>,
) -> Result<bool> {
    let mut bytes = match range.kind {
        RangeKind::Zero => None,
        RangeKind::Data => Some(expected.of_range(range).await?),
        RangeKind::Unmapped => {
            return Err(Error::new(Class::Internal, "what does not matter is not compared"));
        }
    };
    let mut at = 0;
    while at < range.length {
        let length = (range.length - at).min(loader.areas.length);
        let part = match &mut bytes {
            Some(bytes) => Part::Data(bytes.split_to(length as usize)),
            None => Part::Zeros(length),
        };
        if !part_is_equal(loader, window, range.offset + at, part).await? {
            return Ok(false);
        }
        at += length;
    }
    Ok(true)
}

/// The sum first: what differs in it needs no comparison, and what is the same in it is compared.
async fn part_is_equal(
    loader: &mut BootLoader<'_>,
    window: &Window,
    offset: u64,
    part: Part,
) -> Result<bool> {
    match part {
        Part::Zeros(length) => {
            let read = loader.read_fresh(window, offset, length).await?;
            let sum = crc_of_zeros(length);
            if loader.crc32(read, length, sum).await? != sum {
                return Ok(false);
            }
            loader.zero_memory(length).await?;
            loader.same(loader.areas.load, read, length).await
        }
        Part::Data(bytes) => {
            let length = bytes.len() as u64;
            let chunk = stage(&loader.session.run.staging(), loader.files, bytes).await?;
            loader.files += 1;
            let read = loader.read_fresh(window, offset, length).await?;
            // Where it begins within a block the two begin alike.
            let load = loader.areas.load + (read - loader.areas.read);
            let is_equal = loader.crc32(read, length, chunk.crc).await? == chunk.crc
                && is_loaded_equally(loader, load, read, &chunk).await?;
            loader.unstage(chunk).await?;
            Ok(is_equal)
        }
    }
}

/// Whether what was read, whose sum is right, is what is loaded once more. Bytes that are equal have the right sum too, so the load is
/// only checked by itself where they are not.
async fn is_loaded_equally(
    loader: &mut BootLoader<'_>,
    load: u64,
    read: u64,
    chunk: &StagedChunk,
) -> Result<bool> {
    loader.load_unchecked(load, chunk).await?;
    if loader.same(load, read, chunk.length).await? {
        return Ok(true);
    }
    loader.load_again(load, chunk).await?;
    loader.same(load, read, chunk.length).await
}
