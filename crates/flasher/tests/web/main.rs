//! `flasher serve --web`: who may come in, and what a person sees and does in a browser.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a story that cannot go on has failed"
)]

mod access;
mod browser;
mod lab;
mod rack;
mod stories;

// A crate that no source line names registers nothing.
use flasher_bundles as _;
