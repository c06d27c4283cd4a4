//! JSON in columns: packed with zstd, with a checksum, and bounded when it is read.

use std::io::{self, Read};

use serde::Serialize;

/// How hard it is packed: zstd's own default.
const LEVEL: i32 = 3;
/// Most bytes that it may unpack to: 64 MiB hold the ranges of an image of several TiB.
const LARGEST: u64 = 64 << 20;

/// As JSON, packed.
pub(crate) fn packed(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut packer = zstd::Encoder::new(Vec::new(), LEVEL)?;
    packer.include_checksum(true)?;
    serde_json::to_writer(&mut packer, value).map_err(io::Error::from)?;
    packer.finish()
}

/// The JSON again.
pub(crate) fn unpacked(packed: &[u8]) -> io::Result<String> {
    let mut text = String::new();
    zstd::Decoder::new(packed)?.take(LARGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// What could not be packed, as SQLite's library says it.
pub(crate) fn refused(error: io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}
