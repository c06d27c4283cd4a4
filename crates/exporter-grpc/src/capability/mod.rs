//! What a node of the tree can be for clients: one file each, with a table of the methods it exports.
//!
//! A new capability is one file: a type that implements [`Capability`], and its line in `node`.

mod call;
mod console;
mod exported;
mod file_server;
mod flasher;
mod group;
mod method;
mod order_data;
mod other;
mod power;
mod python;
mod serial;
mod storage;
mod storage_flasher;
mod storage_mux;

pub(crate) use call::Call;
pub(crate) use console::Console;
pub(crate) use exported::{Capability, SerialStream, unanswered};
pub(crate) use file_server::FileServerNode;
pub(crate) use flasher::Flash;
pub(crate) use group::Group;
pub(crate) use method::{Args, Kind, Method, Param, Shape, check, find};
pub(crate) use other::Other;
pub(crate) use power::Power;
pub(crate) use python::Python;
pub(crate) use serial::Serial;
pub(crate) use storage::Opendal;
pub(crate) use storage_flasher::StorageFlasher;
pub(crate) use storage_mux::Mux;

/// Every table of methods, for fuzzing.
#[cfg(any(test, fuzzing))]
pub(crate) const TABLES: [&[Method]; 9] = [
    console::METHODS,
    file_server::HTTP,
    file_server::TFTP,
    flasher::METHODS,
    power::METHODS,
    serial::METHODS,
    storage::METHODS,
    storage_flasher::METHODS,
    storage_mux::METHODS,
];
