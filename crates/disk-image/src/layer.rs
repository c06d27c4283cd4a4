//! Layers between the stored bytes and the image: each reads the one below it and gives what that holds.

use crate::archive::{Tar, Zip};
use crate::decoder::Decoder;
use crate::format::{HEAD, recognise};
use crate::input::Input;
use crate::lz4::Lz4;
use crate::simg::Simg;
use crate::{Digest, Error, Format};

/// Most layers of one source: what is wrapped deeper is no image but a trap.
const DEPTH: usize = 4;

/// What one read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Got {
    /// Bytes; none is the proven end.
    pub(crate) count: usize,
    /// Whether it matters that they are on the medium.
    pub(crate) cared: bool,
}

impl Got {
    /// `count` bytes that matter.
    pub(crate) fn bytes(count: usize) -> Got {
        Got { count, cared: true }
    }
}

/// What is known of the stored bytes after their end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored {
    /// Their digest, if it was wanted.
    pub(crate) sha256: Option<Digest>,
    /// How many bytes.
    pub(crate) length: u64,
}

/// Bytes in order, to their proven end.
pub(crate) trait Layer {
    /// Reads some bytes into `output`, which has room.
    fn read(&mut self, output: &mut [u8]) -> Result<Got, Error>;
    /// What was stored, once the end was reached.
    fn stored(&mut self) -> Stored;
}

/// An image within its wrappings.
pub(crate) struct Peeled {
    /// Gives the image.
    pub(crate) top: Box<dyn Layer>,
    /// What it is wrapped in, the outermost first.
    pub(crate) formats: Vec<Format>,
    /// Its length in bytes, if the innermost format tells it.
    pub(crate) length: Option<u64>,
}

/// Finds the image within `bottom`.
pub(crate) fn peel(label: &str, bottom: Box<dyn Layer>) -> Result<Peeled, Error> {
    let mut formats = Vec::new();
    let mut input = Input::new(bottom);
    loop {
        let head = input.peek(HEAD)?;
        let format = recognise(label, &head[..head.len().min(HEAD)])?;
        if format == Format::Raw {
            return Ok(Peeled { top: Box::new(input), formats, length: None });
        }
        let named = Named { label: label.into(), format };
        if formats.len() == DEPTH {
            return Err(named.unusable(format!("it is wrapped more than {DEPTH} times")));
        }
        formats.push(format);
        input = Input::new(match format {
            Format::Lz4 => Box::new(Lz4::new(named, input)),
            Format::Zip => Box::new(Zip::new(named, input)),
            Format::Tar => Box::new(Tar::new(named, input)),
            Format::Simg => {
                let simg = Simg::open(named, input)?;
                let length = Some(simg.image_length());
                return Ok(Peeled { top: Box::new(simg), formats, length });
            }
            _ => Box::new(Decoder::new(named, input)?),
        });
    }
}

/// What an error of a layer tells: which image, and in which of its formats.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) label: String,
    pub(crate) format: Format,
}

impl Named {
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
