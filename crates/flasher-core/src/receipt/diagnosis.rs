//! A diagnosis: one root cause, and what was seen of it on the console, at the servers, of the power and of the medium.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RootCause;

/// Why a step failed, as far as everything that was seen shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// What made the step fail, or `unknown`.
    pub root_cause: RootCause,
    /// What shows it, the most telling first.
    pub evidence: Vec<Observation>,
    /// What to do next, where what was seen says more than the failure itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
}

/// Something that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// Where.
    pub view: View,
    /// What, in one sentence.
    pub seen: String,
}

/// Where something was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// What the board printed.
    Console,
    /// What the file servers of the job saw.
    Servers,
    /// What the power switch was asked and said.
    Power,
    /// What is known of the medium.
    Medium,
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Console => "console",
            Self::Servers => "servers",
            Self::Power => "power",
            Self::Medium => "medium",
        })
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.view, self.seen)
    }
}
