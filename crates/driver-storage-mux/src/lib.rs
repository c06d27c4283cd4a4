//! Gives a medium to its board or to this machine: SD muxes, and whatever else a command or a switch moves.
//!
//! * [`CommandMux`]: the driver type `storage-mux`; the mux's own tool, or commands of the lab
//! * [`SwitchMux`]: the driver type `storage-mux-switch`; a power switch or GPIO line that selects the side, or feeds a USB stick
//! * [`MockMux`]: the driver type `storage-mux-mock`, which only remembers
//! * [`Error`]: what goes wrong and what to do next

mod command_mux;
mod config;
mod confirm;
mod error;
mod mock;
mod preset;
mod switch_mux;

pub use command_mux::CommandMux;
pub use config::{Config, Preset};
pub use error::Error;
pub use mock::{MockMux, MockMuxConfig};
pub use switch_mux::{HostWhen, SwitchMux, SwitchMuxConfig};

flasher_core::register_driver!(CommandMux);
flasher_core::register_driver!(SwitchMux);
flasher_core::register_driver!(MockMux);

#[cfg(test)]
mod tests;
