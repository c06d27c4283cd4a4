//! Bulk data beside a call: a stream with the client, or an HTTP request the client asks us to make.
//!
//! A client opens a stream, gets a handle for it, and gives the handle as an argument of a call; data may arrive before the
//! call does (docs/wire.md).

mod duplex;
mod encoding;
mod handle;
mod owner;
mod pipe;
mod presigned;
mod table;

pub(crate) use duplex::Duplex;
pub(crate) use encoding::Encoding;
pub(crate) use handle::Handle;
pub(crate) use owner::Owner;
pub(crate) use pipe::{DataSource, Pipe, PipeEnds, Sink, StreamItem};
pub(crate) use presigned::Presigned;
pub(crate) use table::Table;
