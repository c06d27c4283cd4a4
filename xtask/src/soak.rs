//! `cargo xtask soak`: what is played with many seeds, with as many as one has time for.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use xtask_support::workspace::{Workspace, cargo};

use crate::package;

/// How much to play.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Media that were changed in some way
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    mutations: u64,
    /// Seed of the first of those on the simulated board, to play them in pieces
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    first: u64,
    /// Flashes of the simulated board whose power is cut
    #[arg(long, value_name = "N", default_value_t = 100)]
    cuts: u64,
}

/// `cargo xtask soak faults`: builds the program as the tests have it, and plays.
pub(crate) fn faults(args: &package::Args) -> Result<()> {
    let root = Workspace::load()?.root;
    let mut build = cargo();
    // Of the whole workspace: a choice of packages would build everything once more, with other features.
    build.args(["build", "--quiet", "--workspace", "--bin", "flasher", "--bin", "xtask-soak"]);
    succeed(&mut build, &root)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    succeed(Command::new(target.join("debug/xtask-soak")).args(&args.words), &root)
}

/// `cargo xtask soak compare`. Plays; an error when one of them ended otherwise than it must.
pub(crate) fn run(args: &Args) -> Result<()> {
    let Args { mutations, first, cuts } = args;
    let root = Workspace::load()?.root;
    let mut command = cargo();
    command.args(["test", "--workspace", "--all-targets", "--", "--show-output"]);
    let played =
        ["nothing_that_differs_is_taken", "no_changed_medium_is_taken", "a_job_goes_on_after_power_cuts"];
    command.args(played);
    command.env("FLASHER_SOAK_MUTATIONS", mutations.to_string());
    command.env("FLASHER_SOAK_FIRST", first.to_string());
    command.env("FLASHER_SOAK_CUTS", cuts.to_string());
    succeed(&mut command, &root)
}

fn succeed(command: &mut Command, root: &Path) -> Result<()> {
    let status = command.current_dir(root).status().with_context(|| format!("{command:?} did not start"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}
