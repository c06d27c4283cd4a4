//! Power by SNMP: PDUs with an outlet table, by a preset or by object identifiers of one's own. SNMP v1 and v2c.
//!
//! * [`Config`]: which PDU and which outlet
//! * [`PowerSnmp`]: the driver type
//! * [`Error`]: what goes wrong and what to do next

mod config;
mod counterparts;
mod driver;
mod error;
mod outlet;

pub use config::{Config, Preset, Version};
pub use driver::PowerSnmp;
pub use error::Error;

flasher_core::register_switch!(PowerSnmp);

#[cfg(test)]
mod tests;
