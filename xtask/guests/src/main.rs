//! What the guests of the tests boot, made out of Debian packages; one file per command.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this command talks to the person or CI job that runs it"
)]

mod qemu_bundle;
mod test_guest;

use clap::Parser;
use std::process::ExitCode;

/// What the guests of the tests boot.
#[derive(Debug, Parser)]
#[command(name = "guests", bin_name = "cargo xtask")]
enum Command {
    /// Build flash bundles for emulated boards out of Debian packages
    QemuBundle(qemu_bundle::Args),
    /// Make a Linux with drivers that this machine's kernel may lack, for tests
    TestGuest,
}

fn main() -> ExitCode {
    let made = match Command::parse() {
        Command::QemuBundle(args) => qemu_bundle::run(&args),
        Command::TestGuest => test_guest::run(),
    };
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
