//! Stories a user would recognise, one module each.

mod failures;
mod flash;
mod lab;
mod mocked_board;
mod qemu;
mod seed;
mod stopping;

// A crate that no source line names registers nothing.
use flasher_bundles as _;
