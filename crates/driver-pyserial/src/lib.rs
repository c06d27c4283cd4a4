//! Serial ports by URL: device paths, `loop://` and `socket://HOST:PORT`.
//!
//! * [`Config`]: what an exporter YAML says
//! * [`PySerial`]: the driver; a port is 8N1 without flow control and held exclusively
//! * [`ConfigError`], [`PortError`]: what goes wrong and what to do next

mod config;
mod driver;
mod error;
mod holder;
mod pace;
mod tty;

pub use config::Config;
pub use driver::PySerial;
pub use error::{ConfigError, PortError};

flasher_core::register_driver!(PySerial);

#[cfg(test)]
mod tests;
