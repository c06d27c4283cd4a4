//! What can go wrong with the simulation itself.

use std::io;
use std::path::PathBuf;

use flasher_core::{Blame, Error};

/// A failure of the simulation: of the host it runs on, not of the board it plays.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A value in the config that makes no sense.
    #[error("the simulated board cannot be built: {0}")]
    Config(String),
    /// A tool of the host that the board's Linux is made of.
    #[error("the simulated board needs `{}` of this machine, not found in PATH", .0.join("`, `"))]
    Tools(Vec<&'static str>),
    /// A file or folder of the board could not be made or used.
    #[error("cannot {action} `{}`", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// The error underneath.
        #[source]
        source: io::Error,
    },
    /// The guest runs as an unprivileged user, who cannot reach the medium.
    #[error("the medium `{}` cannot be used by the unprivileged user of the simulated board", .medium.display())]
    Unreachable {
        /// The medium.
        medium: PathBuf,
        /// The folder in the way.
        folder: PathBuf,
    },
    /// The user running this could write to a real block device, and so could the guest.
    #[error("the simulated board refuses to run: this user can write to the real device `{}`", .0.display())]
    RealDevice(PathBuf),
    /// The serial line is open already.
    #[error("the serial line of the simulated board is open already, expected one user at a time")]
    Busy,
    /// The fault knob `power_stuck`.
    #[error("the power switch of the simulated board is stuck, expected it to obey")]
    Stuck,
    /// Processes of the guest that did not go.
    #[error("{0} processes of the simulated board are still there after power off")]
    Survivors(usize),
    /// A helper thread of this program died.
    #[error("a worker of the simulated board ended early")]
    Worker,
}

impl SimError {
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Config(_) => Blame::CONFIG.advise("`flasher drivers sim-board` shows every field with its default"),
            Self::Tools(_) => Blame::LASTING.advise("install them with this machine's package manager"),
            Self::File { .. } => {
                Blame::LASTING.advise("check permissions and free space, or set TMPDIR to a folder of your own")
            }
            Self::Unreachable { folder, .. } => Blame::LASTING.advise(format!(
                "run `chmod o+x {}`, put the medium elsewhere (for example below /tmp), or do not run as root",
                folder.display()
            )),
            Self::RealDevice(_) => Blame::LASTING.advise(
                "run as a user who cannot write to real devices, or as root: the board then runs as an unprivileged user",
            ),
            Self::Busy => Blame::PASSING.advise("close the other user of this line first"),
            Self::Stuck => Blame::PASSING.advise("remove the fault knob `power_stuck`, or try again"),
            Self::Survivors(_) => {
                Blame::PASSING.advise("look for processes with SIM_BOARD_ID in their environment")
            }
            Self::Worker => Blame::INTERNAL.advise("report this as a bug"),
        }
    }
}

impl From<SimError> for Error {
    fn from(error: SimError) -> Self {
        Self::blamed(error.blame(), "simulated board").because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_says_what_is_wrong_and_what_to_do() {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let cases = [
            (SimError::Config("no prompt".into()), "the simulated board cannot be built: no prompt", false),
            (
                SimError::Tools(vec!["dd", "sh"]),
                "the simulated board needs `dd`, `sh` of this machine, not found in PATH",
                false,
            ),
            (SimError::file("open", "/x")(missing()), "cannot open `/x`", false),
            (
                SimError::Unreachable { medium: "/a/b".into(), folder: "/a".into() },
                "the medium `/a/b` cannot be used by the unprivileged user of the simulated board",
                false,
            ),
            (
                SimError::RealDevice("/dev/sda".into()),
                "the simulated board refuses to run: this user can write to the real device `/dev/sda`",
                false,
            ),
            (
                SimError::Busy,
                "the serial line of the simulated board is open already, expected one user at a time",
                true,
            ),
            (SimError::Stuck, "the power switch of the simulated board is stuck, expected it to obey", true),
            (
                SimError::Survivors(2),
                "2 processes of the simulated board are still there after power off",
                true,
            ),
            (SimError::Worker, "a worker of the simulated board ended early", false),
        ];
        for (error, text, retryable) in cases {
            assert_eq!(error.to_string(), text);
            let error = Error::from(error);
            assert!(error.next_step().is_some_and(|step| !step.is_empty()), "{text}");
            assert_eq!(error.is_retryable(), retryable, "{text}");
        }
    }
}
