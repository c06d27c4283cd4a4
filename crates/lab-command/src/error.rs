//! What goes wrong with a command, and what to do next. Arguments and environment are never shown: they may hold a password.

use flasher_base::blame::{Blame, Blamed};
use thiserror::Error as ThisError;

/// Which command it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandName {
    /// Its key in the config.
    pub key: &'static str,
    /// The device it is for, as in "power switch".
    pub device: &'static str,
    /// Its program.
    pub program: String,
}

/// A command that did not do its work.
#[derive(Clone, Debug, PartialEq, ThisError)]
pub enum Error {
    /// The program is not there.
    #[error("`{}` of the {} needs `{}`, which is not in the PATH", .0.key, .0.device, .0.program)]
    Missing(CommandName),
    /// The folder the commands run in.
    #[error("the {device}'s commands cannot run in the folder `{folder}`: {reason}")]
    Folder {
        /// The device they are for.
        device: &'static str,
        /// The folder.
        folder: String,
        /// What the system said.
        reason: String,
    },
    /// What runs a script is not there.
    #[error("`{}` of the {}'s `{}` needs the interpreter `{interpreter}`, which is not there", .command.program, .command.device, .command.key)]
    Interpreter {
        /// Which command.
        command: CommandName,
        /// What its first line names, control characters escaped.
        interpreter: String,
        /// Whether the name ends in a carriage return, as in a script of another system.
        has_cr: bool,
    },
    /// The program cannot be started.
    #[error("`{}` of the {}'s `{}` cannot be started: {reason}", .command.program, .command.device, .command.key)]
    Start {
        /// Which command.
        command: CommandName,
        /// What the system said.
        reason: String,
    },
    /// It took too long.
    #[error("`{}` of the {} (`{}`) did not end within {seconds} s and was stopped{}", .command.key, .command.device, .command.program, last(.said))]
    Late {
        /// Which command.
        command: CommandName,
        /// How long it had, seconds.
        seconds: f64,
        /// The last line it printed.
        said: String,
    },
    /// It said that it failed.
    #[error("`{}` of the {} (`{}`) ended with {status}{}", .command.key, .command.device, .command.program, last(.said))]
    Failed {
        /// Which command.
        command: CommandName,
        /// Exit status or signal, in words.
        status: String,
        /// The last line it printed.
        said: String,
    },
}

/// What a command printed last, as the end of a sentence.
fn last(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": `{said}`") }
}

impl Blamed for Error {
    fn blame(&self) -> Blame {
        match self {
            Self::Folder { .. } => Blame::LASTING.advise("make it, or give another `folder:`"),
            Self::Interpreter { has_cr: true, .. } => {
                Blame::LASTING.advise("the script's lines end in CR LF: `dos2unix` mends that")
            }
            Self::Interpreter { .. } => {
                Blame::LASTING.advise("install it, or mend the first line of the script")
            }
            Self::Missing(CommandName { program, .. }) => {
                Blame::LASTING.advise(format!("install what brings `{program}`, or give its whole path"))
            }
            Self::Start { .. } => Blame::LASTING.advise("it must be an executable file of this machine"),
            Self::Late { .. } => {
                Blame::PASSING.advise("run it by hand; raise `timeout_seconds` if it is only slow")
            }
            Self::Failed { command, .. } => Blame::PASSING.advise(format!(
                "run it by hand; is the {} connected, and may this user use it?",
                command.device
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do_next() {
        let command = || CommandName { key: "on", device: "power switch", program: "relay".to_owned() };
        let said = || "no outlet".to_owned();
        let interpreter = |name: &str| Error::Interpreter {
            command: command(),
            interpreter: name.to_owned(),
            has_cr: name.ends_with("\\r"),
        };
        let cases = [
            (
                Error::Missing(command()),
                "`on` of the power switch needs `relay`, which is not in the PATH",
                "install what brings `relay`, or give its whole path",
            ),
            (
                Error::Folder {
                    device: "power switch",
                    folder: "/lab".to_owned(),
                    reason: "it is no folder".to_owned(),
                },
                "the power switch's commands cannot run in the folder `/lab`: it is no folder",
                "make it, or give another `folder:`",
            ),
            (
                interpreter("/bin/zsh"),
                "`relay` of the power switch's `on` needs the interpreter `/bin/zsh`, which is not there",
                "install it, or mend the first line of the script",
            ),
            (
                interpreter("/bin/sh\\r"),
                "`relay` of the power switch's `on` needs the interpreter `/bin/sh\\r`, which is not there",
                "the script's lines end in CR LF: `dos2unix` mends that",
            ),
            (
                Error::Start { command: command(), reason: "Permission denied".to_owned() },
                "`relay` of the power switch's `on` cannot be started: Permission denied",
                "it must be an executable file of this machine",
            ),
            (
                Error::Late { command: command(), seconds: 0.5, said: String::new() },
                "`on` of the power switch (`relay`) did not end within 0.5 s and was stopped",
                "run it by hand; raise `timeout_seconds` if it is only slow",
            ),
            (
                Error::Failed { command: command(), status: "exit status 3".to_owned(), said: said() },
                "`on` of the power switch (`relay`) ended with exit status 3: `no outlet`",
                "run it by hand; is the power switch connected, and may this user use it?",
            ),
        ];
        for (error, text, advice) in cases {
            assert_eq!(error.to_string(), text);
            assert_eq!(error.blame().next_step.as_deref(), Some(advice), "{error}");
        }
    }
}
