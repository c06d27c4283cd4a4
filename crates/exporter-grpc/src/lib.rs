//! Serves a device tree to Jumpstarter clients. The only crate that knows their wire.
//!
//! In reading order:
//!
//! * `proto`, `value`, `failure`: the wire's messages, its values, and how errors look on it
//! * `node`: the device tree as clients see it
//! * `capability`: one file for each thing a node can be: which methods it exports and what they do
//! * `storage`: files below a confined folder, as clients read and write them
//! * `resource`: bulk data beside a call: streams with the client, compression, HTTP requests on the client's behalf
//! * `session`, `shared`: what one loaded tree has: nodes and status; the log, and claims on what only one may use
//! * [`order`], `jobs`, `uploads`: flashes that outlive the client that began them, what is ordered, and the files sent for them
//! * [`notice`]: what those who follow a job hear besides its events
//! * `service`, `router`: the two gRPC services
//! * [`serve`], `listen`, `admission`, `hosts`, `connection`, `authority`: sockets, who may come in, and what hangs on a connection
//! * [`remote`]: the other end, for our own command line

#![allow(unexpected_cfgs, reason = "`fuzzing` is set by `cargo xtask fuzz`")]

mod admission;
mod authority;
mod capability;
mod claims;
mod connection;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gate;
mod hosts;
mod jobs;
mod listen;
mod log;
mod minimum_rate;
mod node;
pub mod notice;
pub mod order;
mod passphrase;
mod proto;
pub mod remote;
mod resource;
mod results;
mod router;
pub mod serve;
mod service;
mod session;
mod shared;
mod storage;
mod tls;
mod uploads;
mod value;

pub use authority::Scrubber;
pub use listen::{ListenAddress, Listener};
pub use order::JobOrder;
pub use passphrase::Passphrase;
pub use remote::Remote;
pub use serve::{Access, Exporter};
pub use tls::Certificate;

#[cfg(test)]
mod tests;
