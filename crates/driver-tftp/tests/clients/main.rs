//! Stories of boot loaders and the server, over real sockets: an own client, and curl, tftp-hpa and atftp where installed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers of tests
#![allow(dead_code, reason = "the peer is shared with other tests")]

#[path = "../peer/mod.rs"]
mod peer;

mod fetching;
mod hostile;
mod loss;
mod sending;
mod service;

use std::time::Duration;

/// As long as U-Boot's: a client with it depends on the server's timer.
const PATIENT: Duration = Duration::from_secs(5);
