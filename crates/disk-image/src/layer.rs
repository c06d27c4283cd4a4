//! Layers between the stored bytes and the image: each reads the one below it and gives what that holds.

use crate::archive::{ArchiveMaps, Tar, Zip};
use crate::decoder::Decoder;
use crate::format::{HEAD, recognise};
use crate::input::LayerInput;
use crate::lz4::Lz4;
use crate::simg::Simg;
use crate::{Digest, Error, Format};

/// Most layers of one source: deeper nesting is refused, as it could be a decompression bomb.
const DEPTH: usize = 4;

/// What one read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadResult {
    /// Bytes; none is the proven end.
    pub(crate) count: usize,
    /// Whether they must be on the medium.
    pub(crate) is_mapped: bool,
}

impl ReadResult {
    /// `count` bytes that matter.
    pub(crate) fn bytes(count: usize) -> ReadResult {
        ReadResult { count, is_mapped: true }
    }
}

/// What is known of the stored bytes after their end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredFacts {
    /// Their digest, if it was wanted.
    pub(crate) sha256: Option<Digest>,
    /// How many bytes.
    pub(crate) length: u64,
}

/// Bytes in order, to their proven end.
pub(crate) trait Layer {
    /// Reads some bytes into `output`, which has room.
    fn read(&mut self, output: &mut [u8]) -> Result<ReadResult, Error>;
    /// What was stored, once the end was reached.
    fn stored(&mut self) -> StoredFacts;
}

/// An image within its wrappings.
pub(crate) struct LayerStack {
    /// Gives the image.
    pub(crate) top: Box<dyn Layer>,
    /// What it is wrapped in, the outermost first.
    pub(crate) formats: Vec<Format>,
    /// Its length in bytes, if the innermost format tells it.
    pub(crate) length: Option<u64>,
    /// Block maps of its archives, once they were read.
    pub(crate) maps: ArchiveMaps,
}

/// Finds the image within `bottom`.
pub(crate) fn unwrap_layers(label: &str, bottom: Box<dyn Layer>) -> Result<LayerStack, Error> {
    let (mut formats, maps) = (Vec::new(), ArchiveMaps::default());
    let mut input = LayerInput::new(bottom);
    loop {
        let head = input.peek(HEAD)?;
        let format = recognise(label, &head[..head.len().min(HEAD)])?;
        if format == Format::Raw {
            return Ok(LayerStack { top: Box::new(input), formats, length: None, maps });
        }
        let named = LayerName { label: label.into(), format };
        if formats.len() == DEPTH {
            return Err(named.unusable(format!("it is wrapped more than {DEPTH} times")));
        }
        formats.push(format);
        input = LayerInput::new(match format {
            Format::Lz4 => Box::new(Lz4::new(named, input)),
            Format::Zip => Box::new(Zip::new(named, input, maps.clone())),
            Format::Tar => Box::new(Tar::new(named, input, maps.clone())),
            Format::Simg => {
                let simg = Simg::open(named, input)?;
                let length = Some(simg.image_length());
                return Ok(LayerStack { top: Box::new(simg), formats, length, maps });
            }
            _ => Box::new(Decoder::new(named, input)?),
        });
    }
}

/// What an error of a layer tells: which image, and in which of its formats.
#[derive(Debug, Clone)]
pub(crate) struct LayerName {
    pub(crate) label: String,
    pub(crate) format: Format,
}

impl LayerName {
    pub(crate) fn corrupt(&self, offset: u64, reason: impl Into<String>) -> Error {
        Error::Corrupt { label: self.label.clone(), format: self.format, offset, reason: reason.into() }
    }

    pub(crate) fn truncated(&self, offset: u64) -> Error {
        Error::Truncated { label: self.label.clone(), format: self.format, offset }
    }

    pub(crate) fn garbage(&self, offset: u64) -> Error {
        Error::Garbage { label: self.label.clone(), format: self.format, offset }
    }

    pub(crate) fn memory(&self, limit: u64) -> Error {
        Error::Memory { label: self.label.clone(), format: self.format, limit }
    }

    pub(crate) fn unusable(&self, reason: impl Into<String>) -> Error {
        Error::Unusable { label: self.label.clone(), format: self.format, reason: reason.into() }
    }
}
