//! Which node of the driver tree a command is about.

use clap::Args as ClapArgs;
use clap_complete::engine::ArgValueCandidates;

use crate::commands::completions;

/// The option that names a node.
#[derive(ClapArgs)]
pub(crate) struct NodeArgs {
    /// Dotted path of the node, when the exporter YAML has more than one that fits
    #[arg(long, global = true, value_name = "PATH.IN.TREE", add = ArgValueCandidates::new(completions::devices))]
    pub(crate) device: Option<String>,
}
