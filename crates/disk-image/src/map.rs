//! Cuts the decoded stream into pieces of data and of zeros.

use bytes::Bytes;

use crate::{BLOCK, CHUNK};

/// A part of the decoded image. Pieces come in order and without gaps.
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
}

impl Piece {
    /// Where it belongs, in bytes from the beginning.
    pub fn offset(&self) -> u64 {
        match self {
            Piece::Data { offset, .. } | Piece::Zero { offset, .. } => *offset,
        }
    }

    /// How many bytes of the image it covers.
    pub fn length(&self) -> u64 {
        match self {
            Piece::Data { bytes, .. } => bytes.len() as u64,
            Piece::Zero { length, .. } => *length,
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

/// Turns chunks into pieces. The first chunk is a data piece of its own: it is the one to be withheld.
#[derive(Default)]
pub(crate) struct Mapper {
    offset: u64,
    run: u64,
    held: Vec<Bytes>,
    pieces: Vec<Piece>,
    zero_length: u64,
}

impl Mapper {
    /// Takes the next chunk, of [`chunk_length`] unless the image ends with it.
    pub(crate) fn push(&mut self, chunk: &Bytes) {
        let (lead, trail) = match self.offset {
            0 => (0, 0),
            _ => zero_ends(chunk),
        };
        if lead == chunk.len() {
            self.extend_run(chunk.clone());
        } else {
            let start = self.end_run(lead);
            self.data(chunk.slice(start..chunk.len() - trail));
            if trail > 0 {
                self.extend_run(chunk.slice(chunk.len() - trail..));
            }
        }
    }

    /// The pieces that are known by now.
    pub(crate) fn take(&mut self) -> Vec<Piece> {
        std::mem::take(&mut self.pieces)
    }

    /// Ends the image; [`Mapper::take`] then has its last pieces. Gives the bytes of all zero pieces.
    pub(crate) fn finish(&mut self) -> u64 {
        self.end_run(0);
        self.zero_length
    }

    /// Zeros shorter than a chunk are held, as they may turn out to be data.
    fn extend_run(&mut self, zeros: Bytes) {
        self.run += zeros.len() as u64;
        self.offset += zeros.len() as u64;
        match self.run < CHUNK {
            true => self.held.push(zeros),
            false => self.held.clear(),
        }
    }

    /// Ends a run of zeros, `lead` more bytes at the beginning of a chunk included. Tells where the data of that chunk begin.
    fn end_run(&mut self, lead: usize) -> usize {
        let run = std::mem::take(&mut self.run);
        let held = std::mem::take(&mut self.held);
        self.offset -= run;
        if run + lead as u64 >= CHUNK {
            self.zero(run + lead as u64);
            return lead;
        }
        held.into_iter().for_each(|bytes| self.data(bytes));
        0
    }

    fn data(&mut self, bytes: Bytes) {
        let offset = self.offset;
        self.offset += bytes.len() as u64;
        self.pieces.push(Piece::Data { offset, bytes });
    }

    fn zero(&mut self, length: u64) {
        let offset = self.offset;
        self.offset += length;
        self.zero_length += length;
        self.pieces.push(Piece::Zero { offset, length });
    }
}

/// How many bytes at the beginning and at the end are blocks of zeros. A last block that is not full counts as data.
fn zero_ends(chunk: &[u8]) -> (usize, usize) {
    let zero = |block: &&[u8]| block.len() == BLOCK as usize && is_zero(block);
    let blocks = || chunk.chunks(BLOCK as usize);
    let lead: usize = blocks().take_while(zero).map(<[u8]>::len).sum();
    if lead == chunk.len() {
        return (lead, 0);
    }
    (lead, blocks().rev().take_while(zero).map(<[u8]>::len).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    const B: usize = BLOCK as usize;

    #[test]
    fn only_a_gap_worth_a_command_is_a_zero_piece() {
        for (image, pieces) in [
            ("d", "d1"),
            ("z", "d1"), // the first block is withheld whatever it holds
            ("dd", "d1 d1"),
            ("zzzzzzzzzzzzzzzz", "d1 d15"),
            ("zzzzzzzzzzzzzzzzz", "d1 z16"),
            ("dzzzzzzzzzzzzzzzzd", "d1 z16 d1"),
            ("dzzzzzzzzzzzzzzzd", "d1 d15 d1"),
            ("ddzdd", "d1 d4"),
            ("dzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzd", "d1 z40 d1"),
            ("ddddddddzzzzzzzzzzzzzzzzdddddddd", "d1 d7 z16 d8"),
            ("ddddddddzzzzzzzzzzzzzzzddddddddd", "d1 d7 d8 d16"),
        ] {
            assert_eq!(shape(image), pieces, "{image}");
        }
    }

    /// The pieces of an image whose blocks are `d`ata or `z`eros, with their lengths in blocks.
    fn shape(image: &str) -> String {
        let bytes: Vec<u8> = image.bytes().flat_map(|kind| [u8::from(kind == b'd'); B]).collect();
        let mut mapper = Mapper::default();
        let mut offset = 0;
        while offset < bytes.len() {
            let end = (offset + chunk_length(offset as u64)).min(bytes.len());
            mapper.push(&Bytes::copy_from_slice(&bytes[offset..end]));
            offset = end;
        }
        mapper.finish();
        let name = |piece: &Piece| match piece {
            Piece::Data { bytes, .. } => format!("d{}", bytes.len() / B),
            Piece::Zero { length, .. } => format!("z{}", *length as usize / B),
        };
        mapper.take().iter().map(name).collect::<Vec<_>>().join(" ")
    }
}
