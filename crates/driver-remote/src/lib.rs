//! The client of Jumpstarter's protocol: the nodes of another exporter, ours or Python's, as devices of this machine.
//!
//! [`RemoteExporter::connect`] asks an exporter for its nodes. From there:
//!
//! * [`RemoteExporter::nodes`] lists them, each with its dotted path, class and UUID
//! * [`RemoteExporter::tree`] makes a [`DriverTree`](flasher_core::tree::DriverTree) of them: power switches and serial lines are
//!   ordinary devices, and what this build has no device for refuses in one sentence
//! * [`RemoteExporter::power`] and [`RemoteExporter::serial`] give one device by its path
//! * [`Tunnel`] is a way to an exporter that has no address
//! * [`RemoteExporter::link`] makes raw calls and streams by UUID, for who passes on what others ask
//! * [`RemoteExporter::board`] is a flasher of ours over there, with which [`RemoteExporter::start`] flashes, [`RemoteExporter::plan`] plans and
//!   [`RemoteExporter::dump`] dumps into a file of this machine
//!
//! [`Remote`] is the driver type `remote` for exporter YAML: the same devices, connected when they are first used.
//!
//! A device finds its node by its path before each use: it connects again when the exporter was away, and a call that may
//! be made twice is made once more then.

mod access;
mod channel;
mod connection;
mod devices;
mod driver;
mod dump_intake;
mod exporter;
mod files;
mod jobs;
mod link;
mod node;
mod session;

pub use access::{RemoteAccess, Tunnel};
pub use driver::{Config, Remote, RemoteKind};
pub use exporter::{RemoteExporter, RemoteFlasher};
pub use files::StartedFlash;
pub use jobs::StartedDump;
pub use link::Link;
pub use node::{NodeKind, RemoteNode};

#[cfg(test)]
mod tests;
