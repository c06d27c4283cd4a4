//! `cargo xtask bench WHAT`: figures as ratios to a peer measured in the same run; never asserted, only printed.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this command talks to the person or CI job that runs it"
)]

mod bundles;
mod compare;
mod controller;
mod exporter;
mod fleet;
mod image;
mod ledger;
mod measure;
mod overhead;
mod qemu;
mod serial;
mod servers;
mod ways;
mod web;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Measure against a peer in the same run; prints figures, asserts none.
#[derive(Debug, Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Decoding against zstd, xz and pigz, and flashes to a file against curl, xzcat and dd, and bmaptool
    Image(image::Args),
    /// `flasher serve` beside Jumpstarter's own exporter, both asked by the same unmodified client
    Exporter,
    /// The same under a controller, through its router
    Controller(controller::BenchArgs),
    /// Many leases under a controller, with kills (`cargo xtask soak controller`)
    #[command(hide = true)]
    SoakController(controller::SoakArgs),
    /// What a flash costs beside moving the bytes: the simulated board against curl, dd and sha256sum
    Overhead,
    /// A proven flash of the emulated board against a plain script with wget and dd, for four images
    Qemu(qemu::Args),
    /// What comparing first costs and saves on the emulated board
    Compare(compare::Args),
    /// Several boards in one command against one command for each
    Fleet(fleet::Args),
    /// Each way to a medium: the boot loader by itself against Linux, a disk of this machine against bmaptool
    Ways(ways::Args),
    /// Fifty open pages of a board with a console at 1 Mbaud, and the report of a flash of 7 GiB
    Web(web::Args),
    /// Ten thousand receipts in the ledger: listing jobs, and a flash that is kept
    Ledger,
    /// Pulling a bundle against curl of the same blobs, and how soon a cached one is ready
    Bundles,
    /// A serial line, recorded and watched, against pyserial: throughput, latency, memory
    Serial,
    /// The TFTP and HTTP servers against those of others that are installed
    Servers(servers::Args),
}

fn main() -> ExitCode {
    match run(&Args::parse().what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints.
fn run(what: &What) -> Result<()> {
    match what {
        What::Image(args) => image::run(args),
        What::Exporter => exporter::run(),
        What::Controller(args) => controller::bench(args),
        What::SoakController(args) => controller::soak(args),
        What::Overhead => overhead::run(),
        What::Qemu(args) => qemu::run(args),
        What::Bundles => bundles::run(),
        What::Fleet(args) => fleet::run(args),
        What::Ways(args) => ways::run(args),
        What::Web(args) => web::run(args),
        What::Ledger => ledger::run(),
        What::Compare(args) => compare::run(args),
        What::Serial => serial::run(),
        What::Servers(args) => servers::run(args),
    }
}
