//! Serial ports by URL: device paths, `socket://HOST:PORT`, `rfc2217://HOST:PORT`, `loop://`, and `spy://` around any of them.
//!
//! * [`Config`]: what an exporter YAML says
//! * [`PySerial`]: the driver; a device is held exclusively, and found again when its adapter comes back under the same name
//! * [`ConfigError`], [`PortError`]: what goes wrong and what to do next
//!
//! One owner, many readers: the owner has the line open, reads and writes it; all others may watch, also from another
//! process of the same user, and a recorder may keep everything.

mod address;
mod config;
mod driver;
mod error;
mod holder;
mod line;
mod pace;
mod record;
mod reopen;
mod rfc2217;
mod settings;
mod spy;
mod tty;

pub use config::{Config, Record};
pub use driver::PySerial;
pub use error::{ConfigError, PortError};
pub use settings::{Flow, Parity};

flasher_core::register_driver!(PySerial);

#[cfg(test)]
mod tests;
