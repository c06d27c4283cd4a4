//! Power by HTTP requests: sockets and relays in the network, by hand or by a preset.
//!
//! * [`Config`]: the requests, or a preset that knows them
//! * [`PowerHttp`]: the driver type; with `read` it is a meter as well
//! * [`Error`]: what goes wrong and what to do next

mod ask;
mod config;
mod counterparts;
mod digest;
mod driver;
mod error;
mod preset;

pub use config::{Auth, Config, Method, Preset, RequestConfig, Spelled};
pub use driver::PowerHttp;
pub use error::Error;

flasher_core::register_switch!(PowerHttp);

#[cfg(test)]
mod tests;
