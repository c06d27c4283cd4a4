//! The image as a stream the board's script understands: a line, then as many bytes as the line says.
//!
//! `data BLOCK SEEK COUNT` is followed by BLOCK x COUNT bytes for offset BLOCK x SEEK; `zero BLOCK SEEK COUNT` makes the
//! board write zeros by itself; `flush 0 0 0` makes everything before it durable; `end 0 0 0` is the last line, so a
//! stream that is cut is never taken for a whole one.

use bytes::{Bytes, BytesMut};
use disk_image::{BLOCK, Piece};

/// Most data gathered into one frame, bytes: each frame costs the board one process.
const GATHER: usize = 4 * 1024 * 1024;
/// Sector size every block device can seek by, bytes.
const SECTOR: u64 = 512;

/// Turns pieces into frames, gathering neighbours.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    start: u64,
    gathered: BytesMut,
    /// Bytes of data framed so far.
    pub(crate) data: u64,
    /// Bytes of zeros framed so far.
    pub(crate) zeros: u64,
}

impl Frames {
    /// Takes a piece; gives what is ready to be sent.
    pub(crate) fn push(&mut self, piece: Piece) -> Vec<Bytes> {
        match piece {
            Piece::Data { offset, bytes } => self.push_data(offset, &bytes),
            Piece::Zero { offset, length } => {
                let mut ready = self.flush_data();
                ready.extend(lines("zero", offset, length).map(|(line, _)| line));
                self.zeros += length;
                ready
            }
            Piece::DontCare { .. } => self.flush_data(),
        }
    }

    /// The rest, and the last line.
    pub(crate) fn finish(&mut self) -> Vec<Bytes> {
        let mut ready = self.flush_data();
        ready.push(Bytes::from_static(b"end 0 0 0\n"));
        ready
    }

    fn push_data(&mut self, offset: u64, bytes: &Bytes) -> Vec<Bytes> {
        let is_next = self.start + self.gathered.len() as u64 == offset;
        let fits = self.gathered.len() + bytes.len() <= GATHER;
        let ready = if is_next && fits { Vec::new() } else { self.flush_data() };
        if self.gathered.is_empty() {
            self.start = offset;
        }
        self.gathered.extend_from_slice(bytes);
        ready
    }

    fn flush_data(&mut self) -> Vec<Bytes> {
        let mut bytes = self.gathered.split().freeze();
        self.data += bytes.len() as u64;
        let length = bytes.len() as u64;
        lines("data", self.start, length)
            .flat_map(|(line, length)| [line, bytes.split_to(length as usize)])
            .collect()
    }
}

/// A line that makes everything before it durable.
pub(crate) fn flush() -> Bytes {
    Bytes::from_static(b"flush 0 0 0\n")
}

fn lines(kind: &str, offset: u64, length: u64) -> impl Iterator<Item = (Bytes, u64)> {
    parts(offset, length).into_iter().map(move |part| {
        let line = format!("{kind} {} {} {}\n", part.block, part.skip, part.count);
        (Bytes::from(line), part.block * part.count)
    })
}

/// A run of equal blocks, as `dd` counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Block size, bytes.
    pub(crate) block: u64,
    /// Blocks before the first.
    pub(crate) skip: u64,
    /// How many.
    pub(crate) count: u64,
}

/// Splits a stretch into at most three runs: whole map blocks, whole sectors, single bytes.
pub(crate) fn parts(offset: u64, length: u64) -> Vec<Part> {
    let (mut at, end) = (offset, offset + length);
    let mut parts = Vec::new();
    for block in [BLOCK, SECTOR, 1] {
        let count = if at % block == 0 { (end - at) / block } else { 0 };
        if count > 0 {
            parts.push(Part { block, skip: at / block, count });
            at += block * count;
        }
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
        let data = |offset, byte: u8| Piece::Data { offset, bytes: Bytes::from(vec![byte; BLOCK as usize]) };
        assert!(frames.push(data(BLOCK, b'a')).is_empty());
        assert!(frames.push(data(BLOCK * 2, b'b')).is_empty());
        let zero = text(frames.push(Piece::Zero { offset: BLOCK * 3, length: BLOCK * 16 }));
        assert!(zero.starts_with("data 65536 1 2\na") && zero.ends_with("bzero 65536 3 16\n"));
        frames.push(Piece::Data { offset: BLOCK * 19, bytes: Bytes::from_static(b"tail") });
        assert_eq!(text(frames.finish()), "data 1 1245184 4\ntailend 0 0 0\n");
        assert_eq!((frames.data, frames.zeros), (BLOCK * 2 + 4, BLOCK * 16));
    }

    #[test]
    fn a_frame_never_grows_beyond_its_bound() {
        let mut frames = Frames::default();
        let piece = Bytes::from(vec![1; 1024 * 1024]);
        let sent: usize = (0..20)
            .flat_map(|index| frames.push(Piece::Data { offset: index << 20, bytes: piece.clone() }))
            .map(|frame| frame.len())
            .sum();
        assert!(sent > 16 << 20);
        assert!(frames.gathered.len() <= GATHER);
    }
}
