//! What a job left of the board's power, and how sure that is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// State of the board's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PowerState {
    /// Never touched.
    Untouched,
    /// Switched off.
    Off,
    /// Switched on.
    On,
    /// The switch failed.
    Unknown,
}

/// How sure the state of the board's power is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PowerEvidence {
    /// It is the last call to the switch, and no more.
    #[default]
    NotConfirmed,
    /// The switch reports it.
    Reported,
    /// The switch cannot tell; the console has been silent since.
    ConsoleSilent,
}
