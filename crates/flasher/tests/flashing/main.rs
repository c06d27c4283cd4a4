//! The command line with a simulated board: what is flashed, from where, and what is read back.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may")]

mod beside;
mod chatter;
mod detached;
mod direct;
mod dump;
mod lab;
mod ledger;
mod owner;
mod report;
mod several;
mod sources;
