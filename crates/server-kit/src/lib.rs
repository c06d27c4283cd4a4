//! What the file servers share: starting and stopping, opening files below a folder, reading them without waiting, finding the address to bind.
//!
//! Knows no protocol and no driver.

mod bind;
mod confine;
mod hosted;
mod reader;

pub use bind::{Error, Service, address, canonical};
pub use confine::{open, requested};
pub use hosted::{Hosted, RunningServer};
pub use reader::Reader;
