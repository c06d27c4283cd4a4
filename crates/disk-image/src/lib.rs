//! Opens an image source, recognises it by its magic bytes, decodes and digests it, maps what is data and what is zero.
//!
//! [`Image::open`] reads the head of a file or of an `http(s)` URL and names its [`Format`]; names and URL tails are
//! never looked at. [`Image::decode`] gives the decoded image as [`Extent`]s in order, in bounded memory, and at the
//! proven end of the source a [`Summary`] with every digest. A source that ends early, is damaged or goes on behind
//! its end never yields a summary.

mod archive;
mod archive_map;
mod backlog;
mod bmap;
mod cache;
mod checks;
mod checksums;
mod chunk_hash;
mod companions;
mod decoder;
mod decoding;
mod digest;
mod error;
mod external;
mod format;
mod http;
mod image;
mod input;
mod judge;
mod label;
mod layer;
mod lengths;
mod local;
mod locate;
mod lz4;
mod map;
mod member;
mod memory;
mod open;
mod options;
mod range_hash;
mod recognise;
mod s3;
mod simg;
mod sink;
mod small;
mod source;
mod spool;
mod table;
mod worker;

#[cfg(test)]
mod tests;

pub use cache::{Cache, Cached};
pub use companions::{BlockMapFile, Companions, companions};
pub use decoding::{Decoding, DigestSubject, Range, RangeKind, Summary};
pub use digest::{Digest, DigestError};
pub use error::{Error, Fault};
pub use external::{ExternalError, ExternalFuture, ExternalSource, ExternalStream};
pub use format::Format;
pub use image::Image;
pub use label::redact;
pub use map::Extent;
pub use options::{BlockMapChoice, Expected, FetchGuard, Secret, SourceOptions};
pub use range_hash::RangeHash;
pub use recognise::{ImageContent, PartitionTable};

/// Granularity of the map, in bytes: an extent begins at a multiple of it, and ends at one unless the image ends there.
pub const BLOCK: u64 = 64 * 1024;

/// Largest range with a digest of its own, in bytes.
pub const RANGE: u64 = 16 * 1024 * 1024;

/// Largest data extent and shortest zero extent, in bytes.
pub(crate) const CHUNK: u64 = 1024 * 1024;
