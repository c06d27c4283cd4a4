//! Jumpstarter's own clients, unmodified, against `flasher serve`; the Python half is in `tests/python/`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a story that cannot go on has failed"
)]

mod beside;
mod client;
mod clients;
mod console;
mod controller;
mod crowd;
mod every_option;
mod flashing;
mod hostile;
mod lab;
mod lifetime;
mod metrics;
mod mux;
mod orders;
mod python;
mod qemu;
mod remote;
mod watching;

// A crate that no source line names registers nothing.
use flasher_bundles as _;
