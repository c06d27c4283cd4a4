//! The four compressions a stream may have, and plain data.

use std::io::{self, BufReader, Cursor, Read, Write};

/// Memory an xz stream may ask for, bytes.
const XZ_MEMORY: u64 = 512 * 1024 * 1024;
const BUFFER: usize = 256 * 1024;

/// A compression by its name on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Gzip,
    Xz,
    Bz2,
    Zstd,
}

impl Encoding {
    /// The compression a client calls `name`; none when it is unknown, or switched off as Python's exporter can be.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if std::env::var_os("JMP_DISABLE_COMPRESSION").is_some_and(|value| value == "1") {
            return None;
        }
        match name {
            "gzip" => Some(Self::Gzip),
            "xz" => Some(Self::Xz),
            "bz2" => Some(Self::Bz2),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Bz2 => "bz2",
            Self::Zstd => "zstd",
        }
    }
}

/// What `reader` gives, decompressed; members one after another are one stream.
pub(super) fn decoded(
    reader: impl Read + Send + 'static,
    encoding: Option<Encoding>,
) -> io::Result<Box<dyn Read + Send>> {
    let buffered = |reader| BufReader::with_capacity(BUFFER, reader);
    Ok(match encoding {
        None => Box::new(reader),
        Some(Encoding::Gzip) => gzip(reader)?,
        Some(Encoding::Xz) => {
            let stream =
                liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(buffered(reader), stream))
        }
        Some(Encoding::Bz2) => Box::new(bzip2::bufread::MultiBzDecoder::new(buffered(reader))),
        Some(Encoding::Zstd) => Box::new(zstd::stream::read::Decoder::with_buffer(buffered(reader))?),
    })
}

/// Python's zlib takes both headers for `gzip`: RFC 1952's begins with 0x1f, RFC 1950's does not.
fn gzip(mut reader: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut first = [0];
    reader.read_exact(&mut first)?;
    let whole = BufReader::with_capacity(BUFFER, Cursor::new(first).chain(reader));
    match first {
        [0x1f] => Ok(Box::new(flate2::bufread::MultiGzDecoder::new(whole))),
        _ => Ok(Box::new(flate2::bufread::ZlibDecoder::new(whole))),
    }
}

/// A writer that compresses, and must be finished.
pub(super) enum Encoder<W: Write> {
    Plain(W),
    Gzip(flate2::write::GzEncoder<W>),
    Xz(liblzma::write::XzEncoder<W>),
    Bz2(bzip2::write::BzEncoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

/// Compresses into `writer`; fast rather than small, as the network is a local one.
pub(super) fn encoder<W: Write>(writer: W, encoding: Option<Encoding>) -> io::Result<Encoder<W>> {
    Ok(match encoding {
        None => Encoder::Plain(writer),
        Some(Encoding::Gzip) => {
            Encoder::Gzip(flate2::write::GzEncoder::new(writer, flate2::Compression::fast()))
        }
        Some(Encoding::Xz) => Encoder::Xz(liblzma::write::XzEncoder::new(writer, 1)),
        Some(Encoding::Bz2) => Encoder::Bz2(bzip2::write::BzEncoder::new(writer, bzip2::Compression::fast())),
        Some(Encoding::Zstd) => Encoder::Zstd(zstd::stream::write::Encoder::new(writer, 1)?),
    })
}

impl<W: Write> Encoder<W> {
    pub(super) fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(writer) => writer.write_all(data),
            Self::Gzip(writer) => writer.write_all(data),
            Self::Xz(writer) => writer.write_all(data),
            Self::Bz2(writer) => writer.write_all(data),
            Self::Zstd(writer) => writer.write_all(data),
        }
    }

    /// Writes what a compression ends with.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(writer) => writer.finish().map(drop),
            Self::Xz(writer) => writer.finish().map(drop),
            Self::Bz2(writer) => writer.finish().map(drop),
            Self::Zstd(writer) => writer.finish().map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_wires() {
        for name in ["gzip", "xz", "bz2", "zstd"] {
            assert_eq!(Encoding::named(name).unwrap().name(), name);
        }
        for name in ["", "br", "GZIP", "lz4"] {
            assert_eq!(Encoding::named(name), None, "{name}");
        }
    }
}
