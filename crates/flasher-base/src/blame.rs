//! Who is to blame for a failure, whether a retry can help, and what to do next: one answer, given by libraries and drivers to flasher-core.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::root_cause::RootCause;

/// Who is to blame for a failure. Decides the exit code and whether a retry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Usage, exporter YAML, manifest or bundle content; nothing was touched.
    Config,
    /// The image: missing, truncated, corrupt, another digest, too big.
    Source,
    /// Power, serial port, network, TFTP or HTTP server, registry.
    Infrastructure,
    /// The boot loader, kernel or shell did not do what was asked of it.
    Board,
    /// A write error, or what was read back differs.
    Medium,
    /// A bug of ours.
    Internal,
    /// ^C or SIGTERM.
    Interrupted,
}

impl Class {
    /// The exit code of a command that ends with this class.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Config => 2,
            Self::Source => 3,
            Self::Infrastructure => 4,
            Self::Board => 5,
            Self::Medium => 6,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }

    /// Whether doing the same again can help when nothing else is known.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Infrastructure | Self::Board | Self::Medium)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Config => "config",
            Self::Source => "source",
            Self::Infrastructure => "infrastructure",
            Self::Board => "board",
            Self::Medium => "medium",
            Self::Internal => "internal",
            Self::Interrupted => "interrupted",
        })
    }
}

/// An error that says who is to blame for it.
pub trait Blamed: std::error::Error {
    /// Who is to blame, whether a retry can help, and what to do next.
    fn blame(&self) -> Blame;
}

/// What a failure says of itself to who has to act on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blame {
    /// Who is to blame.
    pub class: Class,
    /// Whether doing the same again can help.
    pub is_retryable: bool,
    /// The key of the config that is wrong, or that names the file which is; none for every other failure.
    pub key: Option<&'static str>,
    /// What the user can do next; none where the text of the error says it.
    pub next_step: Option<Cow<'static, str>>,
    /// What made it fail, where the failure itself shows that.
    pub root: Option<RootCause>,
}

impl Blame {
    /// What was asked for is wrong, and stays so.
    pub const CONFIG: Self = Self::of(Class::Config, false);
    /// The image is wrong or cannot be had, and that stays so.
    pub const SOURCE: Self = Self::of(Class::Source, false);
    /// A server, a device, or the way to it, failed: doing the same again can help.
    pub const PASSING: Self = Self::of(Class::Infrastructure, true);
    /// A server refuses, or this machine cannot: doing the same again fails again.
    pub const LASTING: Self = Self::of(Class::Infrastructure, false);
    /// The board did not do what was asked of it: it may do so after a restart.
    pub const BOARD: Self = Self::of(Class::Board, true);
    /// The board does not do what was asked of it, and never will as it is set up.
    pub const BOARD_LASTING: Self = Self::of(Class::Board, false);
    /// A bug of ours.
    pub const INTERNAL: Self = Self::of(Class::Internal, false);

    const fn of(class: Class, is_retryable: bool) -> Self {
        Self { class, is_retryable, key: None, next_step: None, root: None }
    }

    /// The same, about `key` of a config.
    #[must_use]
    pub fn at(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The same, with what the user can do next.
    #[must_use]
    pub fn advise(self, next_step: impl Into<Cow<'static, str>>) -> Self {
        Self { next_step: Some(next_step.into()), ..self }
    }

    /// The same, made by `root`.
    #[must_use]
    pub fn caused_by(self, root: RootCause) -> Self {
        Self { root: Some(root), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_own_exit_code() {
        let classes = [
            (Class::Config, 2, false),
            (Class::Source, 3, false),
            (Class::Infrastructure, 4, true),
            (Class::Board, 5, true),
            (Class::Medium, 6, true),
            (Class::Internal, 70, false),
            (Class::Interrupted, 130, false),
        ];
        for (class, code, retryable) in classes {
            assert_eq!((class.exit_code(), class.is_retryable()), (code, retryable), "{class}");
        }
    }
}
