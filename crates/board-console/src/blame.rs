//! Who is to blame for what went wrong on a console, and what to do next.

use flasher_base::blame::{Blame, Blamed};
use flasher_base::root_cause::RootCause;

use crate::cause::Cause;
use crate::error::{Error, LoginProblem, Missed};

impl Blamed for Error {
    fn blame(&self) -> Blame {
        let blame = self.who();
        match self.root() {
            Some(root) => blame.caused_by(root),
            None => blame,
        }
    }
}

impl Error {
    /// What made it fail, where the console shows it.
    fn root(&self) -> Option<RootCause> {
        Some(match self {
            Self::Io { .. } | Self::Closed { .. } => RootCause::LineGone,
            Self::Garbled { .. } | Self::Altered { .. } => RootCause::LineChangesCharacters,
            Self::Unreadable { .. } => RootCause::WrongSpeed,
            Self::OtherPrompt { .. } => RootCause::OtherPrompt,
            Self::AutobootNotInterruptible { .. } => RootCause::AutobootNotInterruptible,
            Self::Missed { missed: Missed::Countdown { .. }, .. } => RootCause::KeysNotTaken,
            Self::Missed { missed: Missed::AlreadyRunning, .. } => RootCause::AlreadyRunning,
            Self::Login { .. } => RootCause::LoginRefused,
            Self::Stalled { .. } => RootCause::FellSilent,
            _ => return self.cause().map(Cause::root),
        })
    }

    fn who(&self) -> Blame {
        match self {
            Self::Io { .. } | Self::Closed { .. } => {
                Blame::PASSING.advise("the serial line went away: check the adapter and its cable")
            }
            Self::Transcript { .. } => Blame::LASTING.advise("choose another place with `--transcript`"),
            Self::Pattern { .. } | Self::Invalid { .. } | Self::LineTooLong { .. } => {
                Blame::CONFIG.advise("mend the manifest or the options")
            }
            Self::Garbled { .. } => Blame::PASSING.advise(
                "check baud rate, ground and cable; in the config of the flasher's `serial` child, `cps: 100` slows typing down",
            ),
            Self::Unreadable { .. } | Self::Altered { .. } => Blame::PASSING.advise(
                "set the board's speed in the config of the flasher's `serial` child, `baudrate: 115200` is usual; then check ground and \
                 cable",
            ),
            Self::OtherPrompt { .. } => Blame::CONFIG.advise("set the prompt that the board shows"),
            Self::Timeout { tail, .. } if tail.0.is_empty() => {
                Blame::BOARD.advise("watch the board with `flasher console`; is its power really switched?")
            }
            Self::Timeout { .. } => Blame::BOARD
                .advise("the last console lines show what the board did; watch it with `flasher console`"),
            Self::AutobootNotInterruptible { .. } => Blame::BOARD_LASTING.advise(LAST_LINES),
            Self::Login { problem, .. } => Blame::BOARD_LASTING.advise(log_in(*problem)),
            _ => self.cause().map_or(Blame::BOARD.advise(LAST_LINES), of_a_cause),
        }
    }
}

const LAST_LINES: &str = "the last console lines show what the board said";

/// What to write so that the login goes on.
fn log_in(problem: LoginProblem) -> &'static str {
    match problem {
        LoginProblem::PasswordWanted => {
            "give the password: `password` below `login` in the manifest of the bundle"
        }
        LoginProblem::UsernameWanted => {
            "name the user: `username` below `login` in the manifest of the bundle"
        }
        LoginProblem::Incorrect => {
            "correct `username` and `password` below `login` in the manifest of the bundle"
        }
        LoginProblem::Repeated => {
            "is `username` below `login` in the manifest one that may log in on this console? the last console lines show what was said"
        }
    }
}

/// Causes that lie on the exporter's or the network's side are not the board's fault.
fn of_a_cause(cause: Cause) -> Blame {
    match cause {
        Cause::NoEthernet => Blame::BOARD.advise(
            "the boot loader finds no network interface: it needs a driver for the board's port, or a `usb start` in its `preboot`",
        ),
        Cause::LinkDown => {
            Blame::PASSING.advise("is the board's network cable in, and the other end switched on?")
        }
        Cause::UnknownCommand => {
            Blame::BOARD.advise("this boot loader was built without the command: it needs another one")
        }
        Cause::FileNotFound
        | Cause::TftpRefused
        | Cause::ArpSilent
        | Cause::ServerSilent
        | Cause::TransferStopped
        | Cause::DhcpSilent => Blame::PASSING.advise(LAST_LINES),
        _ => Blame::BOARD.advise(LAST_LINES),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::Tail;

    #[test]
    fn a_silent_server_is_not_the_boards_fault() {
        for (cause, expected) in [
            (Some(Cause::DhcpSilent), Blame::PASSING),
            (Some(Cause::TransferStopped), Blame::PASSING),
            (Some(Cause::LinkDown), Blame::PASSING),
            (Some(Cause::NoEthernet), Blame::BOARD),
            (Some(Cause::KernelPanic), Blame::BOARD),
            (None, Blame::BOARD),
        ] {
            let command = "dhcp".to_owned();
            let error = Error::Command { command, status: Some(1), output: String::new(), cause };
            let blame = error.blame();
            assert_eq!((blame.class, blame.is_retryable), (expected.class, expected.is_retryable), "{error}");
            assert!(blame.next_step.is_some(), "{error}");
        }
    }

    #[test]
    fn every_refused_login_says_what_to_write() {
        use LoginProblem::{Incorrect, PasswordWanted, Repeated, UsernameWanted};
        for problem in [Incorrect, PasswordWanted, Repeated, UsernameWanted] {
            let error = Error::Login { username: "root".into(), problem, tail: Tail::default() };
            let step = error.blame().next_step.unwrap_or_default().to_string();
            assert!(step.contains("below `login` in the manifest"), "{problem:?}: {step}");
        }
    }

    #[test]
    fn what_a_restart_does_not_change_is_not_tried_again() {
        let tail = || Tail(vec!["login:".to_owned()]);
        let login = Error::Login { username: String::new(), problem: LoginProblem::Incorrect, tail: tail() };
        let prompt = Error::OtherPrompt { found: "MX8>".into(), expected: "=>".into(), tail: tail() };
        let autoboot = Error::AutobootNotInterruptible { tail: tail() };
        let closed = Error::Closed { waited_for: "a prompt".into(), tail: tail() };
        let stalled = Error::Stalled { command: "dd".into(), silent: Duration::from_secs(30), tail: tail() };
        for (error, expected, root) in [
            (login, Blame::BOARD_LASTING, RootCause::LoginRefused),
            (autoboot, Blame::BOARD_LASTING, RootCause::AutobootNotInterruptible),
            (prompt, Blame::CONFIG, RootCause::OtherPrompt),
            (closed, Blame::PASSING, RootCause::LineGone),
            (stalled, Blame::BOARD, RootCause::FellSilent),
            (Error::Reset { during: "dhcp".into(), tail: tail() }, Blame::BOARD, RootCause::BootLoaderAgain),
        ] {
            let blame = error.blame();
            assert_eq!((blame.class, blame.is_retryable), (expected.class, expected.is_retryable), "{error}");
            assert_eq!(blame.root, Some(root), "{error}");
        }
    }
}
