//! Power by running the lab's own commands: any outlet, relay or hub that has a command line.
//!
//! * [`Config`]: the commands, or a preset that knows them
//! * [`PowerCommand`]: the driver type; a command is words, never a shell line unless asked; `lab-command` runs it
//! * [`Error`]: what goes wrong and what to do next

mod config;
mod counterparts;
mod driver;
mod error;
mod preset;
mod shell;
mod words;

pub use config::{Config, Preset};
pub use driver::PowerCommand;
pub use error::Error;
pub use shell::Sign;
pub use words::Words;

flasher_core::register_switch!(PowerCommand);

#[cfg(test)]
mod tests;
