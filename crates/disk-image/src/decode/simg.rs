//! Android sparse images (AOSP libsparse, sparse_format.h): chunks of data, of one word again and again, and of nothing.

use flate2::Crc;

use crate::decode::input::LayerInput;
use crate::decode::layer::{Layer, LayerName, ReadResult, StoredFacts};
use crate::{Error, Format};

/// Length of the file header, in bytes.
pub(crate) const HEADER: usize = 28;
const CHUNK_HEADER: u64 = 12;
const RAW: u16 = 0xcac1;
const FILL: u16 = 0xcac2;
const DONT_CARE: u16 = 0xcac3;
const CRC32: u16 = 0xcac4;

/// The fields of the file header that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    header_length: u64,
    chunk_header_length: u64,
    block: u64,
    blocks: u64,
    chunks: u32,
    /// CRC-32 of the image; 0 if it is not given.
    crc: u32,
}

impl Header {
    /// Reads the first [`HEADER`] bytes; the reason if they are no header of version 1.
    pub(crate) fn parse(head: &[u8; HEADER]) -> Result<Header, String> {
        let half = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let header = Header {
            header_length: half(8).into(),
            chunk_header_length: half(10).into(),
            block: word(12).into(),
            blocks: word(16).into(),
            chunks: word(20),
            crc: word(24),
        };
        if half(4) != 1 {
            return Err(format!("its version is {}, expected 1", half(4)));
        }
        if header.header_length < HEADER as u64 || header.chunk_header_length < CHUNK_HEADER {
            return Err("its header is too short".into());
        }
        if header.block == 0 || !header.block.is_multiple_of(4) {
            return Err(format!("its block size is {}, expected a multiple of four", header.block));
        }
        Ok(header)
    }

    /// Length of the image, in bytes.
    pub(crate) fn image_length(&self) -> u64 {
        self.block * self.blocks
    }
}

/// What is left of the chunk, in bytes of the image.
#[derive(Clone, Copy)]
enum Body {
    Raw(u64),
    Fill([u8; 4], u64),
    Unmapped(u64),
}

impl Body {
    fn left(&self) -> u64 {
        match self {
            Body::Raw(left) | Body::Fill(_, left) | Body::Unmapped(left) => *left,
        }
    }
}

/// The image that the chunks make.
pub(crate) struct Simg {
    named: LayerName,
    input: LayerInput,
    header: Header,
    chunks: u32,
    blocks: u64,
    body: Body,
    crc: Crc,
    ended: bool,
}

impl Simg {
    /// Reads the header.
    pub(crate) fn open(named: LayerName, mut input: LayerInput) -> Result<Simg, Error> {
        let head = input.array(&named)?;
        let header = Header::parse(&head).map_err(|reason| named.corrupt(0, reason))?;
        input.skip(header.header_length - HEADER as u64, &named)?;
        let (body, crc) = (Body::Unmapped(0), Crc::new());
        Ok(Simg { named, input, header, chunks: 0, blocks: 0, body, crc, ended: false })
    }

    /// Length of the image, in bytes.
    pub(crate) fn image_length(&self) -> u64 {
        self.header.image_length()
    }

    /// Starts the next chunk that is part of the image.
    fn next_chunk(&mut self) -> Result<(), Error> {
        let begin = self.input.offset();
        let head: [u8; CHUNK_HEADER as usize] = self.input.array(&self.named)?;
        self.input.skip(self.header.chunk_header_length - CHUNK_HEADER, &self.named)?;
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (kind, blocks) = (u16::from_le_bytes([head[0], head[1]]), u64::from(word(4)));
        let stored = u64::from(word(8)).checked_sub(self.header.chunk_header_length);
        self.chunks += 1;
        self.blocks += blocks;
        if self.blocks > self.header.blocks {
            return Err(self.named.corrupt(begin, "its chunks are longer than the image"));
        }
        let length = blocks * self.header.block;
        match (kind, stored) {
            (RAW, Some(stored)) if stored == length => self.body = Body::Raw(length),
            (FILL, Some(4)) => self.body = Body::Fill(self.input.array(&self.named)?, length),
            (DONT_CARE, Some(0)) => self.body = Body::Unmapped(length),
            (CRC32, Some(4)) if blocks == 0 => self.check_crc()?,
            (RAW | FILL | DONT_CARE | CRC32, _) => {
                return Err(self.named.corrupt(begin, "a chunk has another length than its kind"));
            }
            _ => return Err(self.named.corrupt(begin, format!("a chunk is of unknown kind {kind:#06x}"))),
        }
        Ok(())
    }

    fn check_crc(&mut self) -> Result<(), Error> {
        let told = u32::from_le_bytes(self.input.array(&self.named)?);
        match told == self.crc.sum() {
            true => Ok(()),
            false => Err(self.named.corrupt(self.input.offset(), "its CRC-32 differs")),
        }
    }

    /// All chunks were read: they must be the whole image, and nothing may follow.
    fn end(&mut self) -> Result<(), Error> {
        let offset = self.input.offset();
        if self.blocks != self.header.blocks {
            let (told, have) = (self.header.blocks, self.blocks);
            return Err(self.named.corrupt(offset, format!("it announces {told} blocks and has {have}")));
        }
        if self.header.crc != 0 && self.header.crc != self.crc.sum() {
            return Err(self.named.corrupt(offset, "its CRC-32 differs"));
        }
        if !self.input.fill()?.is_empty() {
            return Err(self.named.garbage(offset));
        }
        self.ended = true;
        Ok(())
    }

    /// Some bytes of the chunk, of which something is left.
    fn body_bytes(&mut self, output: &mut [u8]) -> Result<ReadResult, Error> {
        let left = self.body.left();
        let room = output.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let output = &mut output[..room];
        let (count, is_mapped) = match self.body {
            Body::Raw(_) => (self.input.read_some(output)?, true),
            Body::Fill(word, _) => (fill(output, word, left), true),
            Body::Unmapped(_) => (fill(output, [0; 4], left), false),
        };
        if count == 0 {
            return Err(self.named.truncated(self.input.offset()));
        }
        self.crc.update(&output[..count]);
        match &mut self.body {
            Body::Raw(left) | Body::Fill(_, left) | Body::Unmapped(left) => *left -= count as u64,
        }
        Ok(ReadResult { count, is_mapped })
    }
}

/// Fills `output` with a word of which `left` bytes are still to come, a multiple of four at the beginning of a word.
fn fill(output: &mut [u8], word: [u8; 4], left: u64) -> usize {
    let phase = ((4 - left % 4) % 4) as usize;
    match word {
        [byte, b, c, d] if byte == b && byte == c && byte == d => output.fill(byte),
        _ => output.iter_mut().enumerate().for_each(|(index, byte)| *byte = word[(phase + index) % 4]),
    }
    output.len()
}

impl Layer for Simg {
    fn read(&mut self, output: &mut [u8]) -> Result<ReadResult, Error> {
        while self.body.left() == 0 && !self.ended {
            match self.chunks < self.header.chunks {
                true => self.next_chunk()?,
                false => self.end()?,
            }
        }
        if self.ended { Ok(ReadResult::bytes(0)) } else { self.body_bytes(output) }
    }

    fn stored(&mut self) -> StoredFacts {
        self.input.stored()
    }
}

/// The length of the image that a sparse image's first bytes tell.
pub(crate) fn image_length(format: Format, head: &[u8]) -> Option<u64> {
    let head = head.first_chunk().filter(|_| format == Format::Simg)?;
    Header::parse(head).ok().map(|header| header.image_length())
}
