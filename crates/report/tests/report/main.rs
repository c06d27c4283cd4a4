//! Reports of jobs that ended well, ended badly, are old, or were made up to do harm; and what tools of others say of them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may")]

mod foreign;
mod hostile;
mod sample;
mod shown;
