//! What both sides of an exporter's connection share (docs/wire.md): the exporter serves it, and `driver-remote` is its client.
//!
//! * [`proto`], [`value`]: the messages of Jumpstarter's protocol, and the values in them
//! * [`order`]: what is ordered to be flashed or dumped; [`notice`]: what those who follow a job hear besides its events
//! * [`dump_stream`]: the bytes of a dump on their way to the client that writes them
//! * [`passphrase`], [`tls`]: who may come in, and whom to trust

pub mod dump_stream;
pub mod notice;
pub mod order;
pub mod passphrase;
pub mod proto;
pub mod tls;
mod unverified;
pub mod value;
