//! The ways in which an image may be stored.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the image is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    /// As it is.
    Raw,
    /// gzip members (RFC 1952).
    Gzip,
    /// xz streams (The .xz File Format 1.2.1).
    Xz,
    /// Zstandard frames (RFC 8878).
    Zstd,
    /// bzip2 streams.
    Bzip2,
    /// LZ4 frames (LZ4 Frame Format 1.6.1).
    Lz4,
    /// The one file in a zip archive.
    Zip,
    /// The one file in a tar archive.
    Tar,
    /// An Android sparse image (AOSP libsparse).
    Simg,
}

impl Format {
    /// Whether it may hold several files.
    pub(crate) fn is_archive(self) -> bool {
        matches!(self, Format::Zip | Format::Tar)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Raw => "raw",
            Format::Gzip => "gz",
            Format::Xz => "xz",
            Format::Zstd => "zst",
            Format::Bzip2 => "bz2",
            Format::Lz4 => "lz4",
            Format::Zip => "zip",
            Format::Tar => "tar",
            Format::Simg => "simg",
        })
    }
}
