//! What can go wrong with the emulation itself.

use std::io;
use std::path::PathBuf;

use flasher_core::{Blame, Error};

/// A failure of the emulation: of the machine it runs on, not of the board it plays.
#[derive(Debug, thiserror::Error)]
pub enum QemuError {
    /// A value in the config that makes no sense.
    #[error("{0}")]
    Config(String),
    /// Something of this machine is not installed.
    #[error("the {what} `{}` is not there", .name.display())]
    Missing {
        /// What it is.
        what: &'static str,
        /// Its name or path.
        name: PathBuf,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A file of the board could not be made or used.
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
    /// No tap can be made.
    #[error("cannot open `/dev/net/tun`, which makes taps")]
    Tun(#[source] io::Error),
    /// Packets could leave the machine.
    #[error("this network namespace has `{}`, expected a private one with nothing but `lo`", .0.join("`, `"))]
    SharedNamespace(Vec<String>),
    /// Another board uses the tap.
    #[error("the tap `{tap}` is in use by process {owner}, expected one tap per board")]
    TapTaken {
        /// Name of the tap.
        tap: String,
        /// Id of the process that made it.
        owner: u32,
    },
    /// A tool of this machine failed.
    #[error("`{command}` failed: {stderr}")]
    Tool {
        /// The command line.
        command: String,
        /// What it said.
        stderr: String,
    },
    /// The DHCP port could not be bound.
    #[error("cannot serve DHCP on `{tap}`, UDP port 67")]
    Dhcp {
        /// Name of the tap.
        tap: String,
        /// The error underneath.
        #[source]
        source: io::Error,
    },
    /// QEMU could not be started.
    #[error("cannot start `{}`", .program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The error underneath.
        #[source]
        source: io::Error,
    },
    /// QEMU ended before the board was on.
    #[error("QEMU ended at once with {status}: {stderr}")]
    Died {
        /// How it ended.
        status: String,
        /// The end of what it said.
        stderr: String,
    },
    /// QEMU did not come up.
    #[error("QEMU did not report to its monitor within {0} s: {1}")]
    Silent(u64, String),
    /// QEMU is still there after it was killed.
    #[error("QEMU, process {0}, is still there after it was killed")]
    Survivor(u32),
    /// The serial line is open already.
    #[error("the serial line of the emulated board is open already, expected one user at a time")]
    Busy,
    /// What was asked for needs a board that is on.
    #[error("cannot {0}: the emulated board is off")]
    Off(&'static str),
    /// QEMU's monitor refused or ended.
    #[error("QEMU's monitor did not do `{command}`: {reason}")]
    Monitor {
        /// The QMP command.
        command: &'static str,
        /// What it said.
        reason: String,
    },
    /// A helper thread of this program died.
    #[error("a worker of the emulated board ended early")]
    Worker,
}

impl QemuError {
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Config(_) => {
                Blame::CONFIG.advise("`flasher drivers qemu-board` shows every field with its default")
            }
            Self::Missing { package, .. } => {
                Blame::LASTING.advise(format!("install it, on Debian with `apt-get install {package}`"))
            }
            Self::File { .. } => Blame::LASTING.advise(
                "check permissions and free space; TMPDIR must be a short path to a folder of your own",
            ),
            Self::Tun(_) => Blame::LASTING.advise(
                "run as root, or inside `unshare --user --map-root-user --net`; or leave out `network`",
            ),
            Self::SharedNamespace(_) => Blame::LASTING.advise(
                "run this below `flasher sandbox --`, or below `sudo unshare --net --pid \
                --fork --kill-child`; or leave out `network`",
            ),
            Self::TapTaken { .. } => Blame::LASTING.advise("give each board its own `network.tap`"),
            Self::Tool { .. } => {
                Blame::LASTING.advise("making taps needs root, or a user namespace of one's own")
            }
            Self::Dhcp { .. } => {
                Blame::LASTING.advise("stop the other DHCP server, run as root, or set `network.dhcp: false`")
            }
            Self::Start { .. } => Blame::LASTING.advise("check that the program can be executed"),
            Self::Died { .. } => {
                Blame::LASTING.advise("check the fields of `qemu-board` that QEMU's message names")
            }
            Self::Silent(..) => Blame::PASSING.advise("try again when this machine is less busy"),
            Self::Survivor(_) => Blame::PASSING.advise("it is stuck in the kernel; look at the disk it uses"),
            Self::Busy => Blame::PASSING.advise("close the other user of this line first"),
            Self::Off(_) => Blame::LASTING.advise("switch the power on first"),
            Self::Monitor { .. } => Blame::PASSING.advise("switch the power off and on"),
            Self::Worker => Blame::INTERNAL.advise("report this as a bug"),
        }
    }
}

impl From<QemuError> for Error {
    fn from(error: QemuError) -> Self {
        Self::blamed(error.blame(), "emulated board").because(error)
    }
}

#[cfg(test)]
mod tests;
