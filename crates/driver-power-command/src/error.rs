//! What goes wrong with a command, and what to do next. Arguments and environment are never shown: they may hold a password.

use flasher_core::{Blame, Blamed};
use thiserror::Error as ThisError;

use crate::shell::Sign;

/// A config that makes no sense, or a command that did not do its work.
#[derive(Clone, Debug, PartialEq, ThisError)]
pub enum Error {
    /// Neither a command nor a preset that has one.
    #[error("`{key}` is missing, expected a command")]
    Lacking {
        /// The key.
        key: &'static str,
    },
    /// No words, or a quote that is never closed.
    #[error("`{key}` is no command, expected a program and its arguments, quotes in pairs")]
    Words {
        /// The key.
        key: &'static str,
    },
    /// Something that only a shell understands, and no shell reads.
    #[error("`{key}` has {sign}, which only a shell understands, and no shell reads it")]
    Shell {
        /// The key.
        key: &'static str,
        /// What it is.
        sign: Sign,
        /// Whether the command is a list of words.
        is_list: bool,
    },
    /// A preset without its port.
    #[error("the preset needs `port`, expected the number its tool counts by")]
    Port,
    /// A pattern that cannot be read.
    #[error("`{key}` is no regular expression: {reason}")]
    Pattern {
        /// The key.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// A command did not do its work.
    #[error(transparent)]
    Command(#[from] lab_command::Error),
    /// A shell cannot read the line.
    #[error("`{key}` of the power switch is no line that sh can read{}", last(.said))]
    Line {
        /// Which command.
        key: &'static str,
        /// What the shell said.
        said: String,
    },
    /// The output does not show the state.
    #[error("`status` of the power switch (`{program}`) says neither on nor off, or both{}", last(.said))]
    Unclear {
        /// Its program.
        program: String,
        /// The last line it printed.
        said: String,
    },
}

fn last(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": `{said}`") }
}

impl Blamed for Error {
    fn blame(&self) -> Blame {
        match self {
            Self::Lacking { key } => {
                Blame::CONFIG.at(key).advise("`flasher drivers power-command` shows an example")
            }
            Self::Words { key } => Blame::CONFIG
                .at(key)
                .advise("a list of words needs no quotes: `[uhubctl, -p, '2', -a, 'on']`"),
            Self::Shell { key, is_list: true, .. } => {
                Blame::CONFIG.at(key).advise("give the command as one line, and add `shell: true`")
            }
            Self::Shell { key, sign: Sign::Assignment(_), .. } => {
                Blame::CONFIG.at(key).advise("give the variable below `env:`, or add `shell: true`")
            }
            Self::Shell { key, .. } => Blame::CONFIG.at(key).advise(
                "add `shell: true`; or put it in single quotes, if the program is to get it as it is",
            ),
            Self::Port => Blame::CONFIG.at("port").advise("the tool without arguments lists hubs and ports"),
            Self::Pattern { key, .. } => {
                Blame::CONFIG.at(key).advise("put it in single quotes, so that YAML leaves backslashes alone")
            }
            Self::Command(error) => error.blame(),
            Self::Line { .. } => Blame::LASTING.advise("try it by hand: `sh -n -c '…'`"),
            Self::Unclear { .. } => {
                Blame::LASTING.advise("set `status_on` and `status_off` to what it prints")
            }
        }
    }
}
