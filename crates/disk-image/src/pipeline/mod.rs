//! One decoding of an opened image, from its stored bytes to the proven summary.
//!
//! `run` is the thread that decodes. `sink` hands each chunk to the threads that hash it, to the copy for the cache, and as
//! extents to the `backlog`, from which the caller takes them.

pub(crate) mod assembly;
pub(crate) mod backlog;
pub(crate) mod cache_writer;
pub(crate) mod checks;
pub(crate) mod chunk;
pub(crate) mod chunk_hash;
pub(crate) mod content_check;
pub(crate) mod decoding;
pub(crate) mod image_state;
pub(crate) mod left_alone;
pub(crate) mod map;
pub(crate) mod range_copy;
pub(crate) mod range_hash;
pub(crate) mod run;
pub(crate) mod sink;
pub(crate) mod turn;
