//! Our exporter under a controller for tests: beside Jumpstarter's own in the same run, or many leases with kills.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use xtask_support::jumpstarter;
use xtask_support::programs::succeed;
use xtask_support::workspace::Workspace;

use super::measure;

/// Many leases in a row, some with a flash, while controller, router and clients are killed at random.
#[derive(Debug, clap::Args)]
pub(crate) struct SoakArgs {
    /// How many leases
    #[arg(long, default_value_t = 1000)]
    leases: u32,
    /// In how many of them something is killed
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// Every which lease has a flash; 0 for none
    #[arg(long, default_value_t = 10)]
    flash_every: u32,
    /// A `flasher` that is built already
    #[arg(long)]
    flasher: Option<PathBuf>,
}

/// Times and memory beside Jumpstarter's own exporter.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// How many leases
    #[arg(long, default_value_t = 100)]
    leases: u32,
    /// How much is sent through the router, MiB
    #[arg(long, default_value_t = 256)]
    megabytes: u32,
    /// A `flasher` that is built already
    #[arg(long)]
    flasher: Option<PathBuf>,
}

/// Runs the soak; fails when a lease is stuck, a flash lost or doubled, or the exporter not free again in time.
pub(crate) fn soak(args: &SoakArgs) -> Result<()> {
    run("soak", args.flasher.clone(), &[args.leases, args.kills, args.flash_every])
}

/// Measures and prints.
pub(crate) fn bench(args: &BenchArgs) -> Result<()> {
    run("bench", args.flasher.clone(), &[args.leases, args.megabytes])
}

fn run(what: &str, flasher: Option<PathBuf>, numbers: &[u32]) -> Result<()> {
    let root = Workspace::load()?.root;
    let flasher = match flasher {
        Some(flasher) => flasher,
        None => measure::flasher(&root)?,
    };
    let python = jumpstarter::folder(&root)?.join("bin/python");
    let mut command = Command::new(python);
    command.arg(root.join("tests/python/controller/load.py")).arg(what).arg(flasher);
    succeed(command.args(numbers.iter().map(u32::to_string)).env("PYTHONDONTWRITEBYTECODE", "1"))
}
