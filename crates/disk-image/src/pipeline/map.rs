//! Cuts the decoded stream into extents: data, zeros and unmapped.

use bytes::Bytes;

use crate::pipeline::chunk::{Chunk, TypedChunk, is_zero};
use crate::{BLOCK, CHUNK, Extent, RangeKind};

/// So many gaps may be as short as the shortest; each time they are used up, the next must be twice as long.
///
/// A gap costs the writer about two commands, and a command 5 ms and more: what writing and sending 1 MiB takes
/// (measured, `docs/performance.md`). However an image is fragmented, the gaps of 8 GiB are at most 2080, those of 1 TiB 5632.
const GAPS: u64 = 512;

/// What is held of zeros takes no memory of its own.
static ZEROS: [u8; CHUNK as usize] = [0; CHUNK as usize];

/// Turns chunks into parts. The first chunk is a part of its own, as it is the one to be withheld: unmapped or data, never zeros.
pub(crate) struct Mapper {
    started: bool,
    run: Option<BlockRun>,
    parts: Vec<TypedChunk>,
    gaps: u64,
    /// How many gaps may have the same shortest length.
    allowed: u64,
}

impl Default for Mapper {
    fn default() -> Self {
        Self { started: false, run: None, parts: Vec::new(), gaps: 0, allowed: GAPS }
    }
}

/// Blocks in a row that need no bytes. They are held until they are enough for a gap, as they may turn out to be data.
struct BlockRun {
    kind: RangeKind,
    length: u64,
    held: Vec<Bytes>,
    is_gap: bool,
}

impl Mapper {
    /// Takes the next chunk, of [`chunk_length`](crate::pipeline::chunk::chunk_length) unless the image ends with it.
    pub(crate) fn push(&mut self, chunk: &Chunk) {
        if !std::mem::replace(&mut self.started, true) {
            return self.part(first_kind(chunk), chunk.bytes.clone());
        }
        let kinds = kinds(chunk);
        let (length, (lead, lead_kind)) = (chunk.bytes.len(), run_length(kinds.iter()));
        if lead == kinds.len() && lead_kind != RangeKind::Data {
            return self.extend(lead_kind, chunk.bytes.clone());
        }
        let (trail, trail_kind) = run_length(kinds.iter().rev());
        let (lead, trail) = (bytes_of(lead, lead_kind), bytes_of(trail, trail_kind));
        let start = if self.is_run_with(lead_kind, lead) { lead } else { 0 };
        self.extend(lead_kind, chunk.bytes.slice(..start));
        self.end_run();
        self.part(RangeKind::Data, chunk.bytes.slice(start..length - trail));
        self.extend(trail_kind, chunk.bytes.slice(length - trail..));
    }

    /// The parts that are known by now.
    pub(crate) fn take(&mut self) -> Vec<TypedChunk> {
        std::mem::take(&mut self.parts)
    }

    /// Ends the image; [`Mapper::take`] then has its last parts.
    pub(crate) fn finish(&mut self) {
        self.end_run();
    }

    /// Whether the run so far and `more` bytes are worth an extent of their own.
    fn is_run_with(&self, kind: RangeKind, more: usize) -> bool {
        let run = self.run.as_ref().filter(|run| run.kind == kind);
        let length = run.map_or(0, |run| run.length) + more as u64;
        more > 0 && (run.is_some_and(|run| run.is_gap) || length >= self.shortest())
    }

    /// The shortest gap that is worth its commands now, in bytes.
    fn shortest(&self) -> u64 {
        CHUNK << (self.gaps / self.allowed).min(40)
    }

    fn extend(&mut self, kind: RangeKind, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        if self.run.as_ref().is_some_and(|run| run.kind != kind) {
            self.end_run();
        }
        let shortest = self.shortest();
        let run =
            self.run.get_or_insert_with(|| BlockRun { kind, length: 0, held: Vec::new(), is_gap: false });
        run.length += bytes.len() as u64;
        run.held.push(Bytes::from_static(&ZEROS[..bytes.len()]));
        if !run.is_gap && run.length >= shortest {
            run.is_gap = true;
            self.gaps += 1;
        }
        if run.is_gap {
            let held = std::mem::take(&mut run.held);
            held.into_iter().for_each(|bytes| self.part(kind, bytes));
        }
    }

    /// What is still held was too short and is data.
    fn end_run(&mut self) {
        let held = self.run.take().map_or_else(Vec::new, |run| run.held);
        held.into_iter().for_each(|bytes| self.part(RangeKind::Data, bytes));
    }

    fn part(&mut self, kind: RangeKind, bytes: Bytes) {
        if !bytes.is_empty() {
            self.parts.push(TypedChunk { kind, bytes });
        }
    }
}

/// The kind of each block. A last block that is not full is data; so is one that need not be written, but holds something.
fn kinds(chunk: &Chunk) -> Vec<RangeKind> {
    let kind = |(index, block): (usize, &[u8])| match block.len() == BLOCK as usize && is_zero(block) {
        false => RangeKind::Data,
        true if chunk.unmapped >> index & 1 == 1 => RangeKind::Unmapped,
        true => RangeKind::Zero,
    };
    chunk.bytes.chunks(BLOCK as usize).enumerate().map(kind).collect()
}

/// The kind of the first block, which is written last when it is data.
fn first_kind(chunk: &Chunk) -> RangeKind {
    match chunk.unmapped & 1 == 1 && is_zero(&chunk.bytes) {
        true => RangeKind::Unmapped,
        false => RangeKind::Data,
    }
}

/// How many kinds are like the first, and which that is.
fn run_length<'k>(mut kinds: impl Iterator<Item = &'k RangeKind>) -> (usize, RangeKind) {
    let Some(first) = kinds.next() else { return (0, RangeKind::Data) };
    (1 + kinds.take_while(|kind| *kind == first).count(), *first)
}

/// Bytes of a run of `blocks`, none if it is data.
fn bytes_of(blocks: usize, kind: RangeKind) -> usize {
    if kind == RangeKind::Data { 0 } else { blocks * BLOCK as usize }
}

/// A gap is given out once it is this long, bytes, and at most one chunk longer: its writer reports progress at least so often that the
/// work goes on.
const LONGEST_GAP: u64 = 64 << 20;

/// Turns parts into extents: neighbours without data become one long extent.
#[derive(Default)]
pub(crate) struct ExtentBuilder {
    offset: u64,
    gap: Option<(RangeKind, u64)>,
    pub(crate) data_length: u64,
    pub(crate) zero_length: u64,
    pub(crate) unmapped_length: u64,
}

impl ExtentBuilder {
    /// The extents that are complete with `part`.
    pub(crate) fn push(&mut self, part: TypedChunk) -> Vec<Extent> {
        let (kind, length) = (part.kind, part.bytes.len() as u64);
        let ended = self.gap.is_some_and(|(of, _)| of != kind).then(|| self.end()).flatten();
        let data = (kind == RangeKind::Data).then(|| Extent::Data { offset: self.offset, bytes: part.bytes });
        self.offset += length;
        match kind {
            RangeKind::Data => self.data_length += length,
            _ => self.gap = Some((kind, self.gap.map_or(0, |(_, before)| before) + length)),
        }
        let full = self.gap.is_some_and(|(_, length)| length >= LONGEST_GAP).then(|| self.end()).flatten();
        ended.into_iter().chain(data).chain(full).collect()
    }

    /// The extent that was not complete yet.
    pub(crate) fn end(&mut self) -> Option<Extent> {
        let (kind, length) = self.gap.take()?;
        let offset = self.offset - length;
        if kind == RangeKind::Zero {
            self.zero_length += length;
            return Some(Extent::Zero { offset, length });
        }
        self.unmapped_length += length;
        Some(Extent::Unmapped { offset, length })
    }
}

#[cfg(test)]
mod tests;
