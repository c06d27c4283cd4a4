//! What a disk of this machine may hold that a board's medium seldom does.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that a disk of this machine may hold, and a board's medium seldom does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Holding {
    /// Swap space.
    Swap,
    /// A physical volume of LVM.
    Lvm,
    /// A member of a software RAID.
    Raid,
}

impl fmt::Display for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Swap => "swap",
            Self::Lvm => "lvm",
            Self::Raid => "raid",
        })
    }
}

impl Holding {
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Swap => "swap space",
            Self::Lvm => "a physical volume of LVM",
            Self::Raid => "a member of a software RAID",
        }
    }
}
