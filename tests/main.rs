//! Stories a user would recognise, one module each.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a story that cannot go on has failed, one that cannot be told says so"
)]

mod autoboot;
mod boards;
mod boot_loader;
mod compare;
mod console;
mod content;
mod contributing;
mod counterfeit;
mod dump;
mod failures;
mod faults;
mod flash;
mod host_medium;
mod identify;
mod interop;
mod lab;
mod load_path;
mod missing;
mod mocked_board;
mod outside;
mod partitions;
mod progress;
mod qemu;
mod receipts;
mod registries;
mod retries;
mod seed;
mod several_boards;
mod sources;
mod stopping;
mod switches;
mod ways;

// A crate that no source line names registers nothing.
use flasher_bundles as _;
