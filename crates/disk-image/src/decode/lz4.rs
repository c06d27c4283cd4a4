//! LZ4 frames (LZ4 Frame Format 1.6.1): blocks one by one, so that an end is only accepted where a frame ends.

use std::hash::Hasher as _;

use lz4_flex::block::decompress_into_with_dict;
use twox_hash::XxHash32;

use crate::Error;
use crate::decode::input::LayerInput;
use crate::decode::layer::{Layer, LayerName, ReadResult, StoredFacts};
use crate::decode::magic::{MAGIC, MagicMatch, fits};

/// How far a linked block looks back, in bytes.
const WINDOW: usize = 64 * 1024;
/// Bit of a block's length that says it is stored as it is.
const PLAIN: u32 = 1 << 31;

/// Decoded bytes of all frames.
pub(crate) struct Lz4 {
    named: LayerName,
    input: LayerInput,
    frame: Option<Lz4Frame>,
    /// History of up to [`WINDOW`] bytes, then the block.
    decoded: Vec<u8>,
    start: usize,
    end: usize,
    stored: Vec<u8>,
    begun: bool,
}

/// What the header of a frame says, and what is known of its content so far.
struct Lz4Frame {
    linked: bool,
    block_sum: bool,
    content_sum: Option<XxHash32>,
    content: Option<u64>,
    largest: usize,
    length: u64,
}

impl Lz4 {
    /// Decodes `input`, which begins with a frame.
    pub(crate) fn new(named: LayerName, input: LayerInput) -> Lz4 {
        let (decoded, stored) = (Vec::new(), Vec::new());
        Lz4 { named, input, frame: None, decoded, start: 0, end: 0, stored, begun: false }
    }

    /// Decodes the next block, starts or ends a frame. `false` at the proven end.
    fn advance(&mut self) -> Result<bool, Error> {
        match self.frame.take() {
            None => self.next_frame(),
            Some(frame) => self.next_block(frame).map(|()| true),
        }
    }

    fn next_frame(&mut self) -> Result<bool, Error> {
        let ahead = self.input.peek(MAGIC)?;
        if ahead.is_empty() && self.begun {
            return Ok(false);
        }
        match fits(self.named.format, &ahead[..ahead.len().min(MAGIC)]) {
            MagicMatch::Whole => self.begun = true,
            MagicMatch::Part => {
                let rest = ahead.len();
                self.input.consume(rest);
                return Err(self.named.truncated(self.input.offset()));
            }
            MagicMatch::None => return Err(self.named.garbage(self.input.offset())),
        }
        self.frame = Some(self.header()?);
        (self.start, self.end) = (0, 0);
        Ok(true)
    }

    fn header(&mut self) -> Result<Lz4Frame, Error> {
        let _magic: [u8; 4] = self.input.array(&self.named)?;
        let [flags, sizes] = self.input.array(&self.named)?;
        let mut descriptor = vec![flags, sizes];
        let content = if flags & 8 == 0 { None } else { Some(self.input.array::<8>(&self.named)?) };
        descriptor.extend(content.iter().flatten());
        if flags >> 6 != 1 || flags & 2 != 0 || sizes & 0x8f != 0 || sizes >> 4 < 4 {
            return Err(self.corrupt("its frame header has an unknown version or flag"));
        }
        if flags & 1 != 0 {
            return Err(self.corrupt("it needs a dictionary"));
        }
        let [check] = self.input.array(&self.named)?;
        if (sum(&descriptor) >> 8) as u8 != check {
            return Err(self.corrupt("the checksum of its frame header differs"));
        }
        Ok(Lz4Frame {
            linked: flags & 0x20 == 0,
            block_sum: flags & 0x10 != 0,
            content_sum: (flags & 4 != 0).then(|| XxHash32::with_seed(0)),
            content: content.map(u64::from_le_bytes),
            largest: 1 << (8 + 2 * u32::from(sizes >> 4)),
            length: 0,
        })
    }

    fn next_block(&mut self, mut frame: Lz4Frame) -> Result<(), Error> {
        let length = u32::from_le_bytes(self.input.array(&self.named)?);
        if length == 0 {
            return self.end_frame(frame);
        }
        let (plain, length) = (length & PLAIN != 0, (length & !PLAIN) as usize);
        if length > frame.largest {
            return Err(self.corrupt("a block is larger than its frame allows"));
        }
        self.stored.resize(length, 0);
        self.input.take(&mut self.stored, &self.named)?;
        if frame.block_sum && u32::from_le_bytes(self.input.array(&self.named)?) != sum(&self.stored) {
            return Err(self.corrupt("the checksum of a block differs"));
        }
        self.decode(&frame, plain)?;
        let block = &self.decoded[self.start..self.end];
        frame.length += block.len() as u64;
        if let Some(content_sum) = &mut frame.content_sum {
            content_sum.write(block);
        }
        self.frame = Some(frame);
        Ok(())
    }

    /// Decodes the stored block behind its history.
    fn decode(&mut self, frame: &Lz4Frame, plain: bool) -> Result<(), Error> {
        let history = if frame.linked { self.end.min(WINDOW) } else { 0 };
        self.decoded.resize(WINDOW + frame.largest, 0);
        self.decoded.copy_within(self.end - history..self.end, 0);
        let (window, block) = self.decoded.split_at_mut(history);
        let length = if plain {
            block[..self.stored.len()].copy_from_slice(&self.stored);
            self.stored.len()
        } else {
            let block = &mut block[..frame.largest];
            decompress_into_with_dict(&self.stored, block, window).map_err(|e| self.corrupt(e.to_string()))?
        };
        (self.start, self.end) = (history, history + length);
        Ok(())
    }

    fn end_frame(&mut self, frame: Lz4Frame) -> Result<(), Error> {
        if let Some(content_sum) = frame.content_sum {
            let stored = u32::from_le_bytes(self.input.array(&self.named)?);
            if u64::from(stored) != content_sum.finish() {
                return Err(self.corrupt("the checksum of its content differs"));
            }
        }
        match frame.content {
            Some(told) if told != frame.length => {
                Err(self.corrupt(format!("its frame announces {told} bytes and has {}", frame.length)))
            }
            _ => Ok(()),
        }
    }

    fn corrupt(&self, reason: impl Into<String>) -> Error {
        self.named.corrupt(self.input.offset(), reason)
    }
}

fn sum(bytes: &[u8]) -> u32 {
    XxHash32::oneshot(0, bytes)
}

impl Layer for Lz4 {
    fn read(&mut self, output: &mut [u8]) -> Result<ReadResult, Error> {
        while self.start == self.end {
            if !self.advance()? {
                return Ok(ReadResult::bytes(0));
            }
        }
        let count = output.len().min(self.end - self.start);
        output[..count].copy_from_slice(&self.decoded[self.start..self.start + count]);
        self.start += count;
        Ok(ReadResult::bytes(count))
    }

    fn stored(&mut self) -> StoredFacts {
        self.input.stored()
    }
}
