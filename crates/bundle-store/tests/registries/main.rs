//! Bundles in registries: a real one (`docker-registry`), and a faulty one with every wrong answer we could think of.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a story that cannot go on has failed, one that cannot be told says so"
)]

mod bad_input;
mod blobs;
mod cache;
mod docker;
mod faulty;
mod full_disk;
mod signatures;
mod tls;
