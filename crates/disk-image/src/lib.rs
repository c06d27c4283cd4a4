//! Opens an image source, recognises it by its magic bytes, decodes and digests it, maps what is data and what is zero.
//!
//! [`Image::open`] reads the head of a file or of an `http(s)` URL and names its [`Format`]; names and URL tails are
//! never looked at. [`Image::decode`] gives the decoded image as [`Extent`]s in order, in bounded memory, and at the
//! proven end of the source a [`Summary`] with every digest. A source that ends early, is damaged or goes on behind
//! its end never yields a summary.

mod archive;
mod archive_map;
mod backlog;
mod blocking;
mod bmap;
mod body;
mod cache;
mod cache_writer;
mod checks;
mod checksums;
mod chunk;
mod chunk_hash;
mod companions;
mod content;
mod content_check;
mod decoder;
mod decoding;
mod demanded;
mod digest;
mod error;
mod extent;
mod external;
mod file;
mod format;
mod http;
mod image;
mod image_state;
mod input;
mod label;
mod layer;
mod lengths;
mod local;
mod locate;
mod look;
mod lookup;
mod lz4;
mod magic;
mod map;
mod member;
mod memory;
mod open;
mod opened;
mod options;
mod origin;
mod range_hash;
mod recognise;
mod remote;
mod run;
mod s3;
mod simg;
mod sink;
mod small;
mod spool;
mod stack;
mod stored;
mod summary;
mod table_end;
mod thread;

#[cfg(test)]
mod tests;

pub use cache::Cache;
pub use companions::{BlockMapFile, Companions, companions};
pub use content::{ImageContent, PartitionTable};
pub use decoding::Decoding;
pub use digest::{Digest, DigestError};
pub use error::{Error, Fault};
pub use extent::Extent;
pub use external::{ExternalError, ExternalFuture, ExternalSource, ExternalStream};
pub use format::Format;
pub use image::Image;
pub use label::redact;
pub use options::{BlockMapChoice, Expected, FetchGuard, Secret, SourceOptions};
pub use range_hash::RangeHash;
pub use summary::{Cached, DigestSubject, Range, RangeKind, Summary};

/// Granularity of the map, in bytes: an extent begins at a multiple of it, and ends at one unless the image ends there.
pub const BLOCK: u64 = 64 * 1024;

/// Largest range with a digest of its own, in bytes.
pub const RANGE: u64 = 16 * 1024 * 1024;

/// Largest data extent and shortest zero extent, in bytes.
pub(crate) const CHUNK: u64 = 1024 * 1024;
