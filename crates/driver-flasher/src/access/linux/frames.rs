//! The image as a stream the board's script understands: a line, then as many bytes as the line says.
//!
//! `data BLOCK SEEK COUNT` is followed by BLOCK x COUNT bytes for offset BLOCK x SEEK; `zero BLOCK SEEK COUNT OFFSET LENGTH`
//! makes the board see to zeros by itself, in the cheapest way that reads back as zeros; `fill BLOCK SEEK COUNT` makes it
//! write them; `flush 0 0 0` makes everything before it durable; `end 0 0 0` is the last line, so a stream that is cut is
//! never taken for a whole one.

use bytes::{Bytes, BytesMut};
use disk_image::{BLOCK, Extent};

use crate::access::Instruction;

/// Most data gathered into one frame, bytes: each frame costs the board one process. Frames end at multiples of it.
const GATHER: u64 = 8 * MIB;
const MIB: u64 = 1024 * 1024;
/// Blocks to read and write by, bytes: the larger the faster, and each a multiple of the next. 512 is what every block
/// device can seek by.
const BLOCKS: [u64; 4] = [MIB, BLOCK, 512, 1];
/// So many of the largest blocks must there be: a `dd` that first makes itself a buffer of 1 MiB starts up to 15 ms later
/// than one of 64 KiB, whose blocks take 3 ms longer for each MiB (measured, `docs/performance.md`).
const LARGE: u64 = 4;

/// Turns instructions into frames, gathering neighbours.
#[derive(Debug, Default)]
pub(super) struct Frames {
    start: u64,
    gathered: BytesMut,
}

impl Frames {
    /// All frames of these instructions, to the last line.
    pub(super) fn all(instructions: Vec<Instruction>) -> Vec<u8> {
        let mut frames = Self::default();
        let with_end = instructions.into_iter().chain([Instruction::End]);
        with_end.flat_map(|instruction| frames.push(instruction)).collect::<Vec<_>>().concat()
    }

    /// Takes an instruction; gives what is ready to be sent.
    pub(super) fn push(&mut self, instruction: Instruction) -> Vec<Bytes> {
        match instruction {
            Instruction::Write(Extent::Data { offset, bytes }) => self.push_data(offset, &bytes),
            Instruction::Write(Extent::Zero { offset, length }) => {
                self.behind_data(parts(offset, length).iter().map(zeros))
            }
            Instruction::Write(Extent::Unmapped { .. }) => self.flush_data(),
            Instruction::Fill { offset, length } => {
                self.behind_data(parts(offset, length).iter().map(|part| line("fill", part, "")))
            }
            Instruction::Flush => self.behind_data([Bytes::from_static(b"flush 0 0 0\n")]),
            Instruction::Decoded(_) => Vec::new(),
            Instruction::End => self.behind_data([Bytes::from_static(b"end 0 0 0\n")]),
        }
    }

    fn push_data(&mut self, offset: u64, bytes: &Bytes) -> Vec<Bytes> {
        let end = self.start + self.gathered.len() as u64;
        let goes_on = end == offset && !end.is_multiple_of(GATHER);
        let ready = if goes_on { Vec::new() } else { self.flush_data() };
        if self.gathered.is_empty() {
            self.start = offset;
        }
        self.gathered.extend_from_slice(bytes);
        ready
    }

    /// What was gathered, and these lines behind it.
    fn behind_data(&mut self, lines: impl IntoIterator<Item = Bytes>) -> Vec<Bytes> {
        let mut ready = self.flush_data();
        ready.extend(lines);
        ready
    }

    fn flush_data(&mut self) -> Vec<Bytes> {
        let mut bytes = self.gathered.split().freeze();
        let runs = parts(self.start, bytes.len() as u64).into_iter();
        runs.flat_map(|part| [line("data", &part, ""), bytes.split_to(part.length() as usize)]).collect()
    }
}

fn zeros(part: &Part) -> Bytes {
    line("zero", part, &format!(" {} {}", part.block * part.skip, part.length()))
}

fn line(kind: &str, part: &Part, place: &str) -> Bytes {
    Bytes::from(format!("{kind} {} {} {}{place}\n", part.block, part.skip, part.count))
}

/// A run of equal blocks, as `dd` counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Block size, bytes.
    pub(super) block: u64,
    /// Blocks before the first.
    pub(super) skip: u64,
    /// How many.
    pub(super) count: u64,
}

impl Part {
    /// Its length, bytes.
    fn length(&self) -> u64 {
        self.block * self.count
    }
}

/// Splits a stretch into at most seven runs, of blocks that become larger and then smaller again.
pub(super) fn parts(offset: u64, length: u64) -> Vec<Part> {
    let (mut at, end) = (offset, offset + length);
    let mut parts = Vec::new();
    while at < end {
        let least = |block: u64| if block == MIB { block * LARGE } else { block };
        let fits = |block: &u64| at.is_multiple_of(*block) && end - at >= least(*block);
        let block = BLOCKS.into_iter().find(fits).unwrap_or(1);
        // A larger block takes over where it is aligned and fits.
        let larger = BLOCKS.into_iter().filter(|larger| *larger > block);
        let taken_over = larger.map(|larger| (at.next_multiple_of(larger), larger));
        let until = taken_over.filter(|(from, larger)| from + least(*larger) <= end);
        let until = until.map(|(from, _)| from).min();
        let count = (until.unwrap_or(end) - at) / block;
        parts.push(Part { block, skip: at / block, count });
        at += block * count;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(frames: Vec<Bytes>) -> String {
        frames.iter().map(|frame| String::from_utf8_lossy(frame).into_owned()).collect()
    }

    #[test]
    fn a_stretch_is_split_by_what_a_device_can_seek() {
        let part = |block, skip, count| Part { block, skip, count };
        let cases = [
            (0, BLOCK * 2, vec![part(BLOCK, 0, 2)]),
            (0, MIB * 20, vec![part(MIB, 0, 20)]),
            (BLOCK, MIB * 3, vec![part(BLOCK, 1, 48)]),
            (BLOCK, MIB * 5, vec![part(BLOCK, 1, 15), part(MIB, 1, 4), part(BLOCK, 80, 1)]),
            (MIB, MIB * 4 - 1, vec![part(BLOCK, 16, 63), part(512, 10112, 127), part(1, 5_242_368, 511)]),
            (MIB - BLOCK, BLOCK * 2, vec![part(BLOCK, 15, 2)]),
            (1, 3, vec![part(1, 1, 3)]),
            (BLOCK, BLOCK + 512 + 7, vec![part(BLOCK, 1, 1), part(512, 256, 1), part(1, BLOCK * 2 + 512, 7)]),
            (0, 100, vec![part(1, 0, 100)]),
            (0, 0, vec![]),
        ];
        for (offset, length, expected) in cases {
            assert_eq!(parts(offset, length), expected, "{offset}+{length}");
        }
    }

    #[test]
    fn neighbours_travel_in_one_frame_and_a_gap_starts_another() {
        let mut frames = Frames::default();
        let data = |offset, byte: u8| {
            Instruction::Write(Extent::Data { offset, bytes: Bytes::from(vec![byte; BLOCK as usize]) })
        };
        assert!(frames.push(data(BLOCK, b'a')).is_empty());
        assert!(frames.push(Instruction::Decoded(BLOCK * 2)).is_empty());
        assert!(frames.push(data(BLOCK * 2, b'b')).is_empty());
        let zero = Extent::Zero { offset: BLOCK * 3, length: BLOCK * 16 };
        let zero = text(frames.push(Instruction::Write(zero)));
        assert!(zero.starts_with("data 65536 1 2\na") && zero.ends_with("bzero 65536 3 16 196608 1048576\n"));
        let tail = Extent::Data { offset: BLOCK * 19, bytes: Bytes::from_static(b"tail") };
        frames.push(Instruction::Write(tail));
        assert_eq!(text(frames.push(Instruction::End)), "data 1 1245184 4\ntailend 0 0 0\n");
    }

    #[test]
    fn zeros_to_be_written_and_flushes_keep_their_order() {
        let data = Extent::Data { offset: BLOCK, bytes: Bytes::from_static(b"x") };
        let fill = Instruction::Fill { offset: 0, length: BLOCK };
        let all = Frames::all(vec![fill, Instruction::Flush, Instruction::Write(data), Instruction::Flush]);
        let expected = "fill 65536 0 1\nflush 0 0 0\ndata 1 65536 1\nxflush 0 0 0\nend 0 0 0\n";
        assert_eq!(String::from_utf8(all).unwrap(), expected);
    }

    #[test]
    fn a_frame_never_grows_beyond_its_bound() {
        let mut frames = Frames::default();
        let bytes = Bytes::from(vec![1; 1024 * 1024]);
        let extent = |index: u64| Extent::Data { offset: index << 20, bytes: bytes.clone() };
        let sent: usize = (0..20)
            .flat_map(|index| frames.push(Instruction::Write(extent(index))))
            .map(|frame| frame.len())
            .sum();
        assert!(sent > 16 << 20);
        assert!(frames.gathered.len() as u64 <= GATHER);
    }

    #[test]
    fn runs_cover_a_stretch_exactly() {
        for offset in [0, 1, 511, 512, BLOCK - 1, BLOCK, MIB - 512, MIB, MIB + 1, 7 * MIB + 3 * BLOCK] {
            for length in [1, 2, 511, 513, BLOCK, BLOCK + 1, MIB - 1, MIB, 2 * MIB + 1, 9 * MIB + BLOCK + 5] {
                let parts = parts(offset, length);
                assert!(parts.len() <= 7, "{offset}+{length}: {parts:?}");
                let end = parts.iter().fold(offset, |at, part| {
                    assert_eq!(part.block * part.skip, at, "{offset}+{length}: {parts:?}");
                    at + part.block * part.count
                });
                assert_eq!(end, offset + length);
            }
        }
    }
}
