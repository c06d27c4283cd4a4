//! What `console` takes.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::escape::Escape;
use crate::args::node::NodeArgs;

/// Which line, and how it is talked to.
#[derive(ClapArgs)]
pub(crate) struct ConsoleArgs {
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Only listen: to a flash or a `console` that has the line, or waits for one that opens it; ^C ends it
    #[arg(long)]
    pub(crate) watch: bool,
    /// What leaves when typed: `ctrl-` and a letter or one of ] \ ^ _, `~.` (at the beginning of a line), or `none`
    #[arg(long, value_name = "KEY", default_value = "ctrl-]")]
    pub(crate) escape: Escape,
    /// Cycle the board's power once the line is open, so that the boot is seen from its first byte
    #[arg(long, conflicts_with = "watch")]
    pub(crate) power_cycle: bool,
    /// Where what the board prints is kept as well: `--log`.
    #[arg(skip)]
    pub(crate) log: Option<PathBuf>,
    /// Begin each line with its time (UTC)
    #[arg(long)]
    pub(crate) timestamps: bool,
}
