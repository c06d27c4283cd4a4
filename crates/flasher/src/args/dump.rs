//! What `dump` takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

use super::{NodeArgs, VerifyChoice, deadline};

#[derive(ClapArgs)]
pub(crate) struct DumpArgs {
    /// Where the medium goes: a file, packed with zstd when its name ends in `.zst`, or `-` for standard output
    pub(crate) out: PathBuf,
    /// Target of the manifest; its default when not given
    #[arg(long, value_name = "NAME")]
    pub(crate) target: Option<String>,
    /// Only the partition on the target with this label
    #[arg(short = 't', long, value_name = "LABEL")]
    pub(crate) partition: Option<String>,
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Device-tree variant of the bundle
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<String>,
    /// Command to run on the board before its target is looked at; may be given several times; must succeed; no secrets
    #[arg(long, value_name = "CMD")]
    pub(crate) preflash: Vec<String>,

    /// How much of the medium is read a second time; only all of it ends proven
    #[arg(long, value_enum, value_name = "HOW", default_value = "full", help_heading = "Proof")]
    pub(crate) verify: VerifyChoice,
    /// Keep a receipt (JSON), also of a failure
    #[arg(long, value_name = "FILE", help_heading = "Proof")]
    pub(crate) receipt: Option<PathBuf>,
    /// Keep everything the board printed
    #[arg(long, value_name = "FILE", help_heading = "Proof")]
    pub(crate) transcript: Option<PathBuf>,

    /// How often a failed attempt is repeated when that can help
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Persistence")]
    pub(crate) retries: u32,
    /// Bound on the whole job, for example `20m`
    #[arg(long, value_name = "D", value_parser = deadline, help_heading = "Persistence")]
    pub(crate) deadline: Option<Duration>,
    /// Power the board off after a proven dump (the default)
    #[arg(long, overrides_with = "no_power_off", help_heading = "Persistence")]
    pub(crate) power_off: bool,
    /// Leave the board on after a proven dump
    #[arg(long, overrides_with = "power_off", help_heading = "Persistence")]
    pub(crate) no_power_off: bool,
}
