//! Power on a GPIO line: a relay, a transistor, or the power button of the board itself.
//!
//! * [`Config`]: which line, how it is driven, and what becomes of it at the end
//! * [`GpioOut`], [`GpioIn`]: a line as the driver sees it; [`cdev`] has any Linux board's (the default), [`pi`] the
//!   Raspberry Pi's through rppal, which its author retired on 2025-07-01
//! * [`PowerGpio`]: the driver type
//! * [`Error`]: what goes wrong and what to do next

pub mod cdev;
mod config;
mod counterparts;
mod driver;
mod error;
mod line;
pub mod pi;

pub use config::{Backend, Bias, Config, Drive, Level, LineId, OnExit, Pulse, Sense};
pub use driver::PowerGpio;
pub use error::Error;
pub use line::{GpioIn, GpioOut};

flasher_core::register_switch!(PowerGpio);

#[cfg(test)]
mod tests;
