//! BaseFlasher: the flash transaction over a serial and a power child, one file per step.
//!
//! A job ends in one of two ways: *proven* (what was read back from the medium equals the image) or a failure that
//! names its class and cause and leaves the board in a known state. In reading order:
//!
//! * [`config`]: what an exporter YAML may say
//! * [`flasher`]: what a flasher consists of, `driver`: what it answers, and `uboot`: the boot console's settings
//! * `bundle`: which bundle a flasher boots, and `boots`: its description
//! * `job`: what is recorded of a running job, up to the receipt
//! * `transaction`: attempts, deadline, cancellation
//! * `step`: the thirteen steps, each a file
//! * `access`: how a medium is reached: a small Linux on the board, its boot loader, or a disk of this machine
//! * `device_name`, `holding`: what a disk of this machine is called, and what tells one that is never written
//! * `hand_over`: the medium between board and machine, and the console
//! * `network`: which of our addresses faces the board
//! * `route`: whether this machine and the board are in one network
//! * `advice`: what to do about a boot loader that does not do as it should
//! * `shared_servers`: file servers that several jobs use at once
//! * `evidence`: what the file servers saw, put beside what the board said

mod access;
mod advice;
mod blocking;
mod boots;
mod bundle;
mod commands;
pub mod config;
mod device_name;
mod driver;
mod evidence;
pub mod flasher;
mod hand_over;
mod holding;
mod job;
mod load_path;
mod load_ways;
mod network;
mod opened;
mod range_text;
mod recording;
mod route;
mod shared_servers;
mod source_watch;
mod staging;
mod step;
mod survey;
mod transaction;
mod trouble;
mod uboot;

pub use config::FlasherConfig;
pub use flasher::BaseFlasher;
pub use holding::Holding;
pub use uboot::UbootConsole;

flasher_core::register_driver!(BaseFlasher);
flasher_core::register_driver!(UbootConsole);
