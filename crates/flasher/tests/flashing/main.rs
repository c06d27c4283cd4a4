//! The command line with a simulated board: what is flashed, from where, and what is read back.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

mod detached;
mod direct;
mod dump;
mod lab;
mod owner;
mod sources;
