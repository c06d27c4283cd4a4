//! What goes wrong with a mux, and what to do next.

use flasher_core::{Blame, Blamed, MuxPosition};
use thiserror::Error as ThisError;

/// A config that makes no sense, or a mux that did not obey.
#[derive(Clone, Debug, PartialEq, ThisError)]
pub enum Error {
    /// Neither a command nor a preset that has one.
    #[error("`{key}` of the storage mux is missing, expected a command as a list: program and arguments")]
    Lacking {
        /// The key.
        key: &'static str,
    },
    /// An empty command.
    #[error("`{key}` of the storage mux is no command, expected a list: program and arguments")]
    Words {
        /// The key.
        key: &'static str,
    },
    /// A preset without its device.
    #[error("the preset of the storage mux needs `device`, expected what its tool calls the mux")]
    Device,
    /// A pattern that cannot be read.
    #[error("`{key}` of the storage mux is no regular expression: {reason}")]
    Pattern {
        /// The key.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// A time that makes no sense.
    #[error("`{key}` of the storage mux is {seconds}, expected up to 600 seconds")]
    Seconds {
        /// The key.
        key: &'static str,
        /// What it is, seconds.
        seconds: f64,
    },
    /// The mux itself is not there.
    #[error("the storage mux `{path}` is not there")]
    Absent {
        /// Where it should be.
        path: String,
    },
    /// A command did not do its work.
    #[error(transparent)]
    Command(#[from] lab_command::Error),
    /// The mux says that it did something else.
    #[error(
        "the storage mux was switched to `{ordered}`, but after {seconds} s it still reports `{reported}`"
    )]
    Position {
        /// What was ordered.
        ordered: MuxPosition,
        /// What it reports.
        reported: MuxPosition,
        /// How long it had, seconds.
        seconds: f64,
    },
}

impl Blamed for Error {
    fn blame(&self) -> Blame {
        match self {
            Self::Lacking { key } => {
                Blame::CONFIG.at(key).advise("`flasher drivers storage-mux` shows an example")
            }
            Self::Words { key } => Blame::CONFIG.at(key).advise("for example `[my-mux, --port, '2', host]`"),
            Self::Device => Blame::CONFIG
                .at("device")
                .advise("`ls /dev/usb-sd-mux` and `sd-mux-ctrl --list` show the muxes that are connected"),
            Self::Pattern { key, .. } => {
                Blame::CONFIG.at(key).advise("put it in single quotes, so that YAML leaves backslashes alone")
            }
            Self::Seconds { key, .. } => Blame::CONFIG.at(key).advise("leave it out for the default"),
            Self::Absent { .. } => Blame::PASSING.advise(
                "is it connected? `ls /dev/usb-sd-mux` shows the muxes there are, once udev knows them",
            ),
            Self::Command(error) => error.blame(),
            Self::Position { .. } => {
                Blame::PASSING.advise("is this the right mux, and does nothing else switch it?")
            }
        }
    }
}
