//! Serves a driver tree to Jumpstarter clients, in the words of `exporter-wire`.
//!
//! In reading order:
//!
//! * `failure`: how errors look on the wire
//! * `node`: the driver tree as clients see it
//! * `capability`: one file for each thing a node can be: which methods it exports and what they do
//! * `storage`: files below a confined folder, as clients read and write them
//! * `resource`: bulk data beside a call: streams with the client, compression, HTTP requests on the client's behalf
//! * `session`, `shared`: what one loaded tree has: nodes and status; the log, and claims on what only one may use
//! * `jobs`, `uploads`: flashes that outlive the client that began them, dumps into a client's file, plans, and the files sent for them
//! * `records`, `metrics`, [`MetricsPage`]: what is kept and counted of what was done, and where a monitoring system reads it
//! * `python`, `forward`: Jumpstarter's Python beside this exporter, which runs what only it has
//! * `service`, `router`: the two gRPC services
//! * [`direct`]: the same for this process itself, without the wire
//! * [`leased`]: the same for one lease of a lab, whose clients come through a router
//! * [`serve`], `listen`, `admission`, `hosts`, `connection`, `authority`: sockets, who may come in, and what hangs on a connection

#![allow(unexpected_cfgs, reason = "`fuzzing` is set by `cargo xtask fuzz`")]

mod admission;
mod authority;
mod capability;
mod claims;
mod connection;
pub mod direct;
mod failure;
mod forward;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gate;
mod hosts;
mod jobs;
pub mod leased;
mod listen;
mod log;
mod metrics;
mod metrics_page;
mod minimum_rate;
mod node;
mod python;
mod records;
mod resource;
mod results;
mod router;
pub mod serve;
mod service;
mod session;
mod shared;
mod storage;
mod uploads;

use exporter_wire::{dump_stream, notice, order, passphrase, proto, tls, value};

pub use authority::Scrubber;
pub use direct::{BoardNodes, DirectClient, FollowedJob, ImageIntake, OpenLine};
pub use hosts::Hosts;
pub use leased::{LeasedExporter, SessionEnds};
pub use listen::{ListenAddress, Listener, bind_tcp};
pub use metrics::Metrics;
pub use metrics_page::MetricsPage;
pub use python::{PythonExporter, PythonKinds};
pub use records::Records;
pub use serve::{Access, Exporter};

#[cfg(test)]
mod tests;
