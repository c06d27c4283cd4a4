//! Which nodes of the driver tree a command is about: one, or several boards.

use std::num::NonZeroUsize;

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

/// The options that name nodes, for a command that takes several boards.
#[derive(ClapArgs)]
pub(crate) struct BoardsArgs {
    /// Dotted path of the node, when more than one fits; may be given several times, for several boards; `EXPORTER:PATH` when
    /// several exporters have it
    #[arg(long, global = true, value_name = "PATH.IN.TREE", add = ArgValueCandidates::new(completions::devices))]
    pub(crate) device: Vec<String>,
    /// Every board of the exporter, or of each of several exporters
    #[arg(long, global = true, conflicts_with = "device")]
    pub(crate) all: bool,
}

impl BoardsArgs {
    /// The node of a command that is about one board; none when it was not named.
    pub(crate) fn one(&self) -> Option<&str> {
        self.device.first().map(String::as_str)
    }

    /// Whether they ask for several boards by themselves.
    pub(crate) fn is_several(&self) -> bool {
        self.all || self.device.len() > 1
    }
}

/// How jobs on several boards go on beside each other.
#[derive(ClapArgs, Default)]
pub(crate) struct SeveralArgs {
    /// Boards at once, at most [default: all]
    #[arg(long, value_name = "N", help_heading = "Several boards")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Go on with the other boards when one fails (the default)
    #[arg(long, overrides_with = "fail_fast", help_heading = "Several boards")]
    pub(crate) keep_going: bool,
    /// Stop the other boards in good order when one fails, and begin no further one
    #[arg(long, overrides_with = "keep_going", help_heading = "Several boards")]
    pub(crate) fail_fast: bool,
}
