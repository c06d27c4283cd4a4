//! Cuts the decoded stream into parts of data, of zeros and of nothing that matters.

use bytes::Bytes;

use crate::{BLOCK, CHUNK, RangeKind};

/// A part of the decoded image. Pieces come in order and without gaps; the first is data, whatever it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes to write: at most 1 MiB, never across a multiple of 1 MiB, so never across the end of a range.
    Data {
        /// Where they belong, in bytes from the beginning.
        offset: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// Zeros: at least 1 MiB, a multiple of [`BLOCK`].
    Zero {
        /// Where they begin, in bytes from the beginning.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// Need not be written, as the image's block map or its sparse format says: at least 1 MiB, a multiple of [`BLOCK`].
    DontCare {
        /// Where it begins, in bytes from the beginning.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
}

impl Piece {
    /// Where it belongs, in bytes from the beginning.
    pub fn offset(&self) -> u64 {
        match self {
            Piece::Data { offset, .. } | Piece::Zero { offset, .. } | Piece::DontCare { offset, .. } => {
                *offset
            }
        }
    }

    /// How many bytes of the image it covers.
    pub fn length(&self) -> u64 {
        match self {
            Piece::Data { bytes, .. } => bytes.len() as u64,
            Piece::Zero { length, .. } | Piece::DontCare { length, .. } => *length,
        }
    }
}

/// Whether all bytes are zero: the first is, and each equals the one before. A comparison of memory is fast.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    match bytes {
        [] => true,
        [first, rest @ ..] => *first == 0 && *rest == bytes[..rest.len()],
    }
}

/// How many bytes the chunk at `offset` takes: the first one a block, the others up to the next multiple of 1 MiB.
pub(crate) fn chunk_length(offset: u64) -> usize {
    (if offset == 0 { BLOCK } else { CHUNK - offset % CHUNK }) as usize
}

/// Decoded bytes of at most 1 MiB, and which of their blocks need not be written.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    /// A bit for each block, the lowest for the first.
    pub(crate) dont_care: u16,
}

/// Bytes of one kind, in order and without gaps; never across a multiple of 1 MiB.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) kind: RangeKind,
    pub(crate) bytes: Bytes,
}

/// So many gaps may be as short as the shortest; each time they are used up, the next must be twice as long.
///
/// A gap costs whoever writes about two commands, and a command 5 ms and more: what writing and sending 1 MiB takes
/// (measured, `docs/performance.md`). However an image is fragmented, the gaps of 8 GiB are at most 2080, those of 1 TiB 5632.
const GAPS: u64 = 512;

/// What is held of zeros takes no memory of its own.
static ZEROS: [u8; CHUNK as usize] = [0; CHUNK as usize];

/// Turns chunks into parts. The first chunk is a data part of its own: it is the one to be withheld.
pub(crate) struct Mapper {
    started: bool,
    run: Option<Run>,
    parts: Vec<Part>,
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
struct Run {
    kind: RangeKind,
    length: u64,
    held: Vec<Bytes>,
    is_gap: bool,
}

impl Mapper {
    /// Takes the next chunk, of [`chunk_length`] unless the image ends with it.
    pub(crate) fn push(&mut self, chunk: &Chunk) {
        let kinds = if self.started { kinds(chunk) } else { vec![RangeKind::Data] };
        self.started = true;
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
    pub(crate) fn take(&mut self) -> Vec<Part> {
        std::mem::take(&mut self.parts)
    }

    /// Ends the image; [`Mapper::take`] then has its last parts.
    pub(crate) fn finish(&mut self) {
        self.end_run();
    }

    /// Whether the run so far and `more` bytes are worth a piece of their own.
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
        let run = self.run.get_or_insert_with(|| Run { kind, length: 0, held: Vec::new(), is_gap: false });
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
            self.parts.push(Part { kind, bytes });
        }
    }
}

/// The kind of each block. A last block that is not full is data; so is one that need not be written, but holds something.
fn kinds(chunk: &Chunk) -> Vec<RangeKind> {
    let kind = |(index, block): (usize, &[u8])| match block.len() == BLOCK as usize && is_zero(block) {
        false => RangeKind::Data,
        true if chunk.dont_care >> index & 1 == 1 => RangeKind::DontCare,
        true => RangeKind::Zero,
    };
    chunk.bytes.chunks(BLOCK as usize).enumerate().map(kind).collect()
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

/// Turns parts into pieces: what holds no data is told once, however long it is.
#[derive(Default)]
pub(crate) struct Joiner {
    offset: u64,
    gap: Option<(RangeKind, u64)>,
    pub(crate) data_length: u64,
    pub(crate) zero_length: u64,
    pub(crate) dont_care_length: u64,
}

impl Joiner {
    /// The pieces that are complete with `part`.
    pub(crate) fn push(&mut self, part: Part) -> Vec<Piece> {
        let (kind, length) = (part.kind, part.bytes.len() as u64);
        let ended = self.gap.is_some_and(|(of, _)| of != kind).then(|| self.end()).flatten();
        let data = (kind == RangeKind::Data).then(|| Piece::Data { offset: self.offset, bytes: part.bytes });
        self.offset += length;
        match kind {
            RangeKind::Data => self.data_length += length,
            _ => self.gap = Some((kind, self.gap.map_or(0, |(_, before)| before) + length)),
        }
        ended.into_iter().chain(data).collect()
    }

    /// The piece that was not complete yet.
    pub(crate) fn end(&mut self) -> Option<Piece> {
        let (kind, length) = self.gap.take()?;
        let offset = self.offset - length;
        if kind == RangeKind::Zero {
            self.zero_length += length;
            return Some(Piece::Zero { offset, length });
        }
        self.dont_care_length += length;
        Some(Piece::DontCare { offset, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: usize = BLOCK as usize;

    #[test]
    fn only_a_gap_worth_a_command_is_a_piece_of_its_own() {
        for (image, pieces) in [
            ("d", "d1"),
            ("z", "d1"), // the first block is withheld whatever it holds
            ("x", "d1"),
            ("dd", "d1 d1"),
            ("zzzzzzzzzzzzzzzz", "d1 d15"),
            ("zzzzzzzzzzzzzzzzz", "d1 z16"),
            ("xxxxxxxxxxxxxxxxx", "d1 x16"),
            ("dzzzzzzzzzzzzzzzzd", "d1 z16 d1"),
            ("dxxxxxxxxxxxxxxxxd", "d1 x16 d1"),
            ("dzzzzzzzzzzzzzzzd", "d1 d15 d1"),
            ("dxxxxxxxxxxxxxxxd", "d1 d15 d1"),
            ("ddzdd", "d1 d4"),
            ("ddxdd", "d1 d4"),
            ("dzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzd", "d1 z40 d1"),
            ("dxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxd", "d1 x40 d1"),
            ("ddddddddzzzzzzzzzzzzzzzzdddddddd", "d1 d7 z16 d8"),
            ("ddddddddxxxxxxxxxxxxxxxxdddddddd", "d1 d7 x16 d8"),
            ("ddddddddzzzzzzzzzzzzzzzddddddddd", "d1 d7 d8 d16"),
            ("dzzzzzzzzzzzzzzzzxxxxxxxxxxxxxxxxd", "d1 z16 x16 d1"),
            ("ddddddddzzzzzzzzzzzzzzzzxxxxxxxxxxxxxxxx", "d1 d7 z16 x16"),
            ("ddddddddzzzzzzzzxxxxxxxxzzzzzzzz", "d1 d7 d8 d8 d8"), // three short runs of different kinds
            ("dddddddddddddddddddddzzzzzzxxxxx", "d1 d15 d11 d5"),
            ("dnnnnnnnnnnnnnnnn", "d1 d15 d1"), // need not be written, but holds something
            ("dxxxxxxxxxxxxxxxxnxxxxxxxxxxxxxxxx", "d1 x16 d1 x16"),
        ] {
            assert_eq!(shape(image), pieces, "{image}");
        }
    }

    /// The pieces of an image whose blocks are `d`ata, `z`eros, don't care (`x`, or `n` if not zero), with their lengths in blocks.
    fn shape(image: &str) -> String {
        let name = |piece: &Piece| match piece {
            Piece::Data { bytes, .. } => format!("d{}", bytes.len() / B),
            Piece::Zero { length, .. } => format!("z{}", *length as usize / B),
            Piece::DontCare { length, .. } => format!("x{}", *length as usize / B),
        };
        pieces(image, GAPS).iter().map(name).collect::<Vec<_>>().join(" ")
    }

    fn pieces(image: &str, allowed: u64) -> Vec<Piece> {
        let (mut mapper, mut joiner) = (Mapper { allowed, ..Mapper::default() }, Joiner::default());
        let mut rest = image;
        while !rest.is_empty() {
            let length = chunk_length(((image.len() - rest.len()) * B) as u64) / B;
            let (blocks, behind) = rest.split_at(length.min(rest.len()));
            mapper.push(&chunk(blocks));
            rest = behind;
        }
        mapper.finish();
        let mut pieces: Vec<Piece> = mapper.take().into_iter().flat_map(|part| joiner.push(part)).collect();
        pieces.extend(joiner.end());
        pieces
    }

    #[test]
    fn once_short_gaps_are_used_up_only_longer_ones_are_told() {
        for (image, expected) in [
            ("dz16d", "d1 z16 d1"),
            ("dz16dz16dz16d", "d1 z16 d15 z16 d1 d15 d1 d1"),
            ("dz16dz16dz32dz31dz32", "d1 z16 d15 z16 d1 z32 d15 d15 d2 z32"),
            ("dx16dx16dx40d", "d1 x16 d15 x16 d1 x40 d1"),
        ] {
            let blocks = spelt(image);
            let shape: Vec<(u64, bool)> =
                pieces(&blocks, 2).iter().map(|piece| (piece.length() / BLOCK, is_gap(piece))).collect();
            let gaps = |text: &str| {
                let gaps = text.split(' ').filter(|piece| !piece.starts_with('d'));
                gaps.map(|piece| piece[1..].parse().unwrap()).collect::<Vec<u64>>()
            };
            let found: Vec<u64> = shape.iter().filter(|(_, gap)| *gap).map(|(length, _)| *length).collect();
            assert_eq!(found, gaps(expected), "{image}");
            assert_eq!(shape.iter().map(|(length, _)| length).sum::<u64>(), blocks.len() as u64, "{image}");
        }
    }

    #[test]
    fn eight_fragmented_gibibytes_have_a_bounded_number_of_gaps() {
        const LENGTH: u64 = 8 << 30;
        // A block of data, then just enough zeros for a gap, over and over.
        let chunks: Vec<Bytes> = (0..17)
            .map(|phase| {
                let data = |block: usize| u8::from((block + phase).is_multiple_of(17));
                Bytes::from((0..16).flat_map(|block| [data(block); B]).collect::<Vec<u8>>())
            })
            .collect();
        let (mut mapper, mut joiner, mut gaps) = (Mapper::default(), Joiner::default(), 0);
        let mut offset = 0;
        while offset < LENGTH {
            let bytes = chunks[(offset / BLOCK % 17) as usize].slice(..chunk_length(offset));
            offset += bytes.len() as u64;
            mapper.push(&Chunk { bytes, dont_care: 0 });
            let pieces = mapper.take().into_iter().flat_map(|part| joiner.push(part));
            gaps += pieces.filter(is_gap).count() as u64;
        }
        assert_eq!(gaps, GAPS);
    }

    fn is_gap(piece: &Piece) -> bool {
        !matches!(piece, Piece::Data { .. })
    }

    /// `dz3` for `dzzz`.
    fn spelt(text: &str) -> String {
        let mut spelt = String::new();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            let mut count = String::new();
            while let Some(digit) = letters.next_if(char::is_ascii_digit) {
                count.push(digit);
            }
            spelt.extend(std::iter::repeat_n(letter, count.parse().unwrap_or(1)));
        }
        spelt
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(96))]

        #[test]
        fn however_data_and_gaps_take_turns_every_block_comes_once_and_gaps_grow(
            image in "[dzx]([dzx][1-9]?[0-9]?){1,40}"
        ) {
            let blocks = spelt(&image);
            let (mut at, mut gaps) = (0, 0);
            for piece in pieces(&blocks, 2) {
                assert_eq!(piece.offset(), at);
                let stretch = &blocks[(at / BLOCK) as usize..][..(piece.length() / BLOCK) as usize];
                match &piece {
                    Piece::Data { bytes, .. } => {
                        let is_data = |(block, kind)| u8::from(kind == b'd') == bytes[block * B];
                        assert!(stretch.bytes().enumerate().all(is_data));
                    }
                    Piece::Zero { .. } => assert!(stretch.bytes().all(|kind| kind == b'z')),
                    Piece::DontCare { .. } => assert!(stretch.bytes().all(|kind| kind == b'x')),
                }
                if is_gap(&piece) {
                    assert!(piece.length() >= CHUNK << (gaps / 2), "gap {gaps} of {image}");
                    gaps += 1;
                }
                at += piece.length();
            }
            assert_eq!(at, blocks.len() as u64 * BLOCK);
        }
    }

    fn chunk(blocks: &str) -> Chunk {
        let bytes: Vec<u8> = blocks.bytes().flat_map(|kind| [u8::from(b"dn".contains(&kind)); B]).collect();
        let bit = |(index, kind)| u16::from(b"xn".contains(&kind)) << index;
        Chunk { bytes: bytes.into(), dont_care: blocks.bytes().enumerate().map(bit).sum() }
    }
}
