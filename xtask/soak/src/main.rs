//! `cargo xtask soak faults`.

#![allow(clippy::print_stderr, reason = "this command talks to the person or CI job that runs it")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use regex::Regex;
use xtask_soak::{SoakSettings, soak};

/// Flash simulated boards with faults drawn from a seed, and judge each flash from outside.
#[derive(Debug, Parser)]
#[command(name = "soak faults", bin_name = "cargo xtask soak faults")]
struct Args {
    /// Seed of the first case; each further case has the next one [default: one of today]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Cases to play
    #[arg(long, value_name = "N", default_value_t = 60)]
    cases: u64,
    /// Only cases whose description (`--list` shows it) has this pattern
    #[arg(long, value_name = "REGEX")]
    only: Option<Regex>,
    /// Parts that are left out of each case, as a smallest case names them
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    without: Vec<String>,
    /// Cases at a time [default: two for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    jobs: Option<u64>,
    /// Print the cases and play none
    #[arg(long)]
    list: bool,
    /// Keep the folder of each case that breaks a rule, to look at
    #[arg(long)]
    keep: bool,
    /// Do not look for the smallest case that breaks the same rule
    #[arg(long)]
    no_shrink: bool,
    /// The program to play with [default: `flasher` beside this program]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing was found.
fn run(args: Args) -> anyhow::Result<bool> {
    let beside = std::env::current_exe().context("cannot find this program")?.with_file_name("flasher");
    let settings = SoakSettings {
        seed: args.seed.unwrap_or_else(SoakSettings::seed_of_today),
        cases: args.cases,
        only: args.only,
        without: args.without,
        jobs: args.jobs.map_or_else(SoakSettings::usual_jobs, |jobs| jobs as usize),
        list: args.list,
        keep: args.keep,
        shrink: !args.no_shrink,
        program: args.program.unwrap_or(beside),
    };
    Ok(soak(&settings)?.is_clean())
}
