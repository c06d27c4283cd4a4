//! Opens an image source, recognises it by its magic bytes, decodes and digests it, maps what is data and what is zero.
//!
//! [`Image::open`] reads the head of a file or of an `http(s)` URL and names its [`Format`]; names and URL tails are
//! never looked at. [`Image::decode`] gives the decoded image as [`Extent`]s in order, in bounded memory, and at the
//! proven end of the source a [`Summary`] with every digest. A source that ends early, is damaged or goes on behind
//! its end never yields a summary.
//!
//! Each folder is a stage: `source` reads the stored bytes, `decode` unwraps them, `recognise` looks at what they are, `bmap` says
//! which of them matter, `cache` keeps them, `open` does what can be done before they are decoded, and `pipeline` decodes them.

mod archive_map;
mod blame;
mod bmap;
mod cache;
mod content;
mod decode;
mod demanded;
mod error;
mod extent;
mod format;
mod image;
mod open;
mod options;
mod pipeline;
mod recognise;
mod source;
mod summary;
mod thread;

#[cfg(test)]
mod tests;

pub use cache::{Cache, CachedImage};
pub use content::{ImageContent, Partition, PartitionTable};
pub use error::Error;
pub use extent::Extent;
pub use flasher_base::blame::{Blame, Blamed};
pub use flasher_base::digest::{Digest, DigestError};
pub use format::Format;
pub use image::Image;
pub use open::companion_files::{CompanionKinds, companion_files, local_path, signature_files};
pub use options::{BlockMapChoice, Expected, FetchGuard, Secret, SourceOptions};
pub use pipeline::assembly::{Assembly, AssemblyFile};
pub use pipeline::decoding::Decoding;
pub use pipeline::left_alone::can_be_left_alone;
pub use pipeline::range_copy::RangeCopy;
pub use pipeline::range_hash::RangeHash;
pub use recognise::{COPY_LOOK, LOOK, content_of, partitions, partitions_of_copy};
pub use source::external::{ExternalError, ExternalFuture, ExternalSource, ExternalStream};
pub use source::label::redact;
pub use summary::{Cached, DigestSubject, Range, RangeKind, Summary};

/// Granularity of the map, in bytes: an extent begins at a multiple of it, and ends at one unless the image ends there.
pub const BLOCK: u64 = 64 * 1024;

/// Largest range with a digest of its own, in bytes.
pub const RANGE: u64 = 16 * 1024 * 1024;

/// Largest data extent and shortest zero extent, in bytes.
pub(crate) const CHUNK: u64 = 1024 * 1024;
