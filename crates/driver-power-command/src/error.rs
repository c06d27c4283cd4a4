//! What goes wrong with a command, and what to do next. Arguments and environment are never shown: they may hold a password.

use flasher_core::switch::SwitchFailure;
use thiserror::Error as ThisError;

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
    #[error("`{key}` has {}, which only a shell understands, and no shell reads it", quoted(.sign))]
    Shell {
        /// The key.
        key: &'static str,
        /// What it is.
        sign: String,
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
    /// The program is not there.
    #[error("`{key}` of the power switch needs `{program}`, which is not in the PATH")]
    Missing {
        /// Which command.
        key: &'static str,
        /// Its program.
        program: String,
    },
    /// The folder the commands run in.
    #[error("the power switch's commands cannot run in the folder `{folder}`: {reason}")]
    Folder {
        /// The folder.
        folder: String,
        /// What the system said.
        reason: String,
    },
    /// What runs a script is not there.
    #[error(
        "`{program}` of the power switch's `{key}` needs the interpreter `{interpreter}`, which is not there"
    )]
    Interpreter {
        /// Which command.
        key: &'static str,
        /// Its program.
        program: String,
        /// What its first line names.
        interpreter: String,
    },
    /// A shell cannot read the line.
    #[error("`{key}` of the power switch is no line that sh can read{}", last(.said))]
    Line {
        /// Which command.
        key: &'static str,
        /// What the shell said.
        said: String,
    },
    /// The program cannot be started.
    #[error("`{program}` of the power switch's `{key}` cannot be started: {reason}")]
    Start {
        /// Which command.
        key: &'static str,
        /// Its program.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// It took too long.
    #[error("`{key}` of the power switch (`{program}`) did not end within {seconds} s and was stopped{}", last(.said))]
    Late {
        /// Which command.
        key: &'static str,
        /// Its program.
        program: String,
        /// How long it had, seconds.
        seconds: f64,
        /// The last line it printed.
        said: String,
    },
    /// It said that it failed.
    #[error("`{key}` of the power switch (`{program}`) ended with {status}{}", last(.said))]
    Failed {
        /// Which command.
        key: &'static str,
        /// Its program.
        program: String,
        /// Exit status or signal, in words.
        status: String,
        /// The last line it printed.
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

fn quoted(sign: &str) -> String {
    if sign.contains(' ') { sign.to_owned() } else { format!("`{sign}`") }
}

fn last(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": `{said}`") }
}

impl SwitchFailure for Error {
    fn key(&self) -> Option<&'static str> {
        match self {
            Self::Lacking { key }
            | Self::Words { key }
            | Self::Pattern { key, .. }
            | Self::Shell { key, .. } => Some(key),
            Self::Port => Some("port"),
            _ => None,
        }
    }

    fn next_step(&self) -> String {
        match self {
            Self::Lacking { .. } => "`flasher drivers power-command` shows an example".to_owned(),
            Self::Words { .. } => {
                "a list of words needs no quotes: `[uhubctl, -p, '2', -a, 'on']`".to_owned()
            }
            Self::Shell { is_list: true, .. } => {
                "give the command as one line, and add `shell: true`".to_owned()
            }
            Self::Shell { sign, .. } if sign.ends_with('=') => {
                "give the variable below `env:`, or add `shell: true`".to_owned()
            }
            Self::Shell { .. } => {
                "add `shell: true`; or put it in single quotes, if the program is to get it as it is"
                    .to_owned()
            }
            Self::Folder { .. } => "make it, or give another `folder:`".to_owned(),
            Self::Interpreter { interpreter, .. } if interpreter.ends_with("\\r") => {
                "the script's lines end in CR LF: `dos2unix` mends that".to_owned()
            }
            Self::Interpreter { .. } => "install it, or mend the first line of the script".to_owned(),
            Self::Line { .. } => "try it by hand: `sh -n -c '…'`".to_owned(),
            Self::Port => "the tool without arguments lists hubs and ports".to_owned(),
            Self::Pattern { .. } => {
                "put it in single quotes, so that YAML leaves backslashes alone".to_owned()
            }
            Self::Missing { program, .. } => {
                format!("install what brings `{program}`, or give its whole path")
            }
            Self::Start { .. } => "it must be an executable file of this machine".to_owned(),
            Self::Late { .. } => "run it by hand; raise `timeout_seconds` if it is only slow".to_owned(),
            Self::Failed { .. } => {
                "run it by hand; is the switch connected, and may this user use it?".to_owned()
            }
            Self::Unclear { .. } => "set `status_on` and `status_off` to what it prints".to_owned(),
        }
    }

    /// Whether the same again may end otherwise.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Late { .. } | Self::Failed { .. })
    }
}
