//! The layers of one source: finds the image within all its wrappings.

use crate::decode::archive::{ArchiveMaps, Tar, Zip};
use crate::decode::decoder::Decoder;
use crate::decode::input::LayerInput;
use crate::decode::layer::{Layer, LayerName};
use crate::decode::lz4::Lz4;
use crate::decode::magic::{HEAD, recognise};
use crate::decode::simg::Simg;
use crate::{Error, Format};

/// Most layers of one source: deeper nesting is refused, as it could be a decompression bomb.
const DEPTH: usize = 4;

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
