//! The project's own chores, run as `cargo xtask COMMAND`; one file per command. Large ones are packages of their own.
//!
//! Depends on no crate of the workspace, so `cargo xtask tidy` works on a tree that does not compile.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a chore talks to the person or CI job that runs it"
)]

mod book;
mod edit;
mod fuzz;
mod new_board;
mod new_driver;
mod package;
mod release;
mod schemas;
mod soak;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The project's own chores.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every check and every test; the one command CI and people use
    Test(test::Args),
    /// Check the house rules of ARCHITECTURE.md; reports all findings at once
    Tidy,
    /// Write the skeleton of a power driver and link it into the build
    NewDriver(new_driver::Args),
    /// Write the manifest of a board and register it
    NewBoard(new_board::Args),
    /// Write the JSON Schemas beside the examples
    Schemas,
    /// Write what of the manual is made by the program: sample outputs and the reference
    Book,
    /// Make a Debian package and a tarball: program, manual pages, completions, units
    Package(release::Args),
    /// Build flash bundles for emulated boards out of Debian packages
    QemuBundle(package::Args),
    /// Make a Linux with drivers that this machine's kernel may lack, for tests
    TestGuest(package::Args),
    /// Feed the parsers of what comes from the network with made-up input for a while
    Fuzz(fuzz::Args),
    /// Measure against a peer in the same run; prints figures, asserts none
    Bench(package::Args),
    /// Have something done very often, with faults in between
    Soak {
        #[command(subcommand)]
        what: Soak,
    },
}

#[derive(Debug, Subcommand)]
enum Soak {
    /// Leases under a controller, while controller, router and clients are killed
    Controller(package::Args),
    /// Media that hold some of an image already, and power cuts in the middle of a flash
    Compare(soak::Args),
    /// Flashes with faults drawn from a seed, each a process of its own, judged from outside
    Faults(package::Args),
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Test(args) => test::run(&args),
        Command::Tidy => xtask_tidy::run(),
        Command::NewDriver(args) => new_driver::run(&args),
        Command::NewBoard(args) => new_board::run(&args),
        Command::Schemas => schemas::run(),
        Command::Book => book::run(),
        Command::Package(args) => release::run(&args),
        Command::QemuBundle(args) => package::QEMU_BUNDLE.run(&args.words),
        Command::TestGuest(args) => package::TEST_GUEST.run(&args.words),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Bench(args) => package::BENCH.run(&args.words),
        Command::Soak { what: Soak::Controller(args) } => package::SOAK_CONTROLLER.run(&args.words),
        Command::Soak { what: Soak::Compare(args) } => soak::run(&args),
        Command::Soak { what: Soak::Faults(args) } => soak::faults(&args),
    }
}
