//! The steps of a job.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The thirteen steps of a flash, in order, and the one that only a dump has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Config, bundle, manifest, variant and target are looked up.
    Resolve,
    /// The image source is opened and recognised.
    Image,
    /// Sizes and load addresses are checked.
    Plan,
    /// TFTP and HTTP servers are bound.
    Services,
    /// The serial port is opened, power goes off and on.
    Power,
    /// The boot loader is caught, the network set up, files loaded.
    Bootloader,
    /// The small Linux boots and its shell is proven.
    Shell,
    /// The target device is resolved and checked.
    Target,
    /// What the medium holds already is compared with the image.
    Compare,
    /// What the medium does not hold of the image is written, but for its first block.
    Write,
    /// The medium is read into a file: a dump's place of `write`.
    Read,
    /// The first block is written; a dump's file gets its name, after `verify`.
    Commit,
    /// Everything that was written is read back, after the last write, and compared; what was dumped is read once more.
    Verify,
    /// The board is left in its final state.
    Finish,
}

impl Step {
    /// All steps of a flash in order.
    pub const ALL: [Self; 13] = [
        Self::Resolve,
        Self::Image,
        Self::Plan,
        Self::Services,
        Self::Power,
        Self::Bootloader,
        Self::Shell,
        Self::Target,
        Self::Compare,
        Self::Write,
        Self::Commit,
        Self::Verify,
        Self::Finish,
    ];

    /// The step's name, as in events and receipts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Image => "image",
            Self::Plan => "plan",
            Self::Services => "services",
            Self::Power => "power",
            Self::Bootloader => "bootloader",
            Self::Shell => "shell",
            Self::Target => "target",
            Self::Compare => "compare",
            Self::Write => "write",
            Self::Read => "read",
            Self::Verify => "verify",
            Self::Commit => "commit",
            Self::Finish => "finish",
        }
    }

    /// What the step does, in a few words for a screen.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Resolve => "looks up boot files and target",
            Self::Image => "opens the image and tells its format",
            Self::Plan => "checks sizes and addresses",
            Self::Services => "starts the file servers",
            Self::Power => "switches the board off and on",
            Self::Bootloader => "stops the boot loader and gives it an address",
            Self::Shell => "gets the board ready to write its medium",
            Self::Target => "finds the medium and checks it",
            Self::Compare => "looks for what the medium holds already",
            Self::Write => "writes all but the first block",
            Self::Read => "reads the medium",
            Self::Commit => "writes the first block",
            Self::Verify => "reads everything back and compares it",
            Self::Finish => "leaves the board in its final state",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
