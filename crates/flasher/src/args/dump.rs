//! What `dump` takes.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::job::JobArgs;
use super::{NodeArgs, VerifyChoice};

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
    #[command(flatten)]
    pub(crate) job: JobArgs,
}
