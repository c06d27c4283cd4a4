//! Decoded images kept by digest, so that an image is fetched and decoded once and flashed many times.
//!
//! A folder holds `DIGEST.img`, the decoded bytes with holes where they are zero, and `KEY.json` for each origin they came
//! from: a file in one state, an object of a server in one version. Names appear by renaming what is complete and proven.
//! What is read is hashed again, so a damaged copy is an error and never an image; a description carries a checksum over itself
//! and its key, and one that was changed is no description. Several processes may share a folder.

mod evict;
mod folder;
mod key;
mod meta;
mod publish;

pub(crate) use folder::CacheHit;
pub use folder::{Cache, CachedImage};
pub(crate) use key::{Key, ObjectVersion};
pub(crate) use meta::{Meta, Proven};
pub(crate) use publish::CacheSlot;
