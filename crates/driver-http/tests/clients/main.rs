//! Stories of clients and the server, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers of tests

mod content;
mod files;
mod requests;
mod service;
mod stage;
mod uploads;
