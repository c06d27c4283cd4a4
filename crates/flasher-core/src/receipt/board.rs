//! What a receipt tells of the board, and of its boot loader.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of the board.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BoardFacts {
    /// Name of the bundle's manifest.
    pub name: Option<String>,
    /// Device-tree variant.
    pub variant: Option<String>,
    /// SHA-256 of the bundle's manifest and files.
    pub bundle_sha256: Option<String>,
    /// Address the board had.
    pub address: Option<String>,
    /// How the boot loader's autoboot ended, once it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoboot: Option<AutobootFacts>,
    /// How files came into the boot loader's memory, as of the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loads: Option<LoadFacts>,
}

/// How files came into a boot loader's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoadFacts {
    /// Which of its commands fetched them.
    pub by: LoadedBy,
    /// Bytes of a block that it was set to ask for (TFTP).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_size: Option<u16>,
    /// Blocks of a window that it was set to ask for (TFTP).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_size: Option<u16>,
}

/// A boot loader's command that fetches files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LoadedBy {
    /// `tftpboot`.
    Tftp,
    /// `wget`, by HTTP.
    Wget,
}

/// How a boot loader's autoboot ended in the last attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AutobootFacts {
    /// What was seen of the countdown.
    pub ended: AutobootEnd,
    /// What was typed for that: "`space`". A stop string that is a password is left out.
    pub typed: String,
}

/// What was seen of autoboot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutobootEnd {
    /// A countdown was seen, and nothing but the prompt came after it: what was typed stopped it.
    Stopped,
    /// The countdown ran out: the boot loader tried to start a system, could not, and came to its prompt by itself.
    RanOut,
    /// No countdown was seen: the boot loader waited at its prompt, or counts in silence.
    NoCountdown,
}
