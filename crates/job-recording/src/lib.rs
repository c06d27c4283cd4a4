//! What a job saw of its board, kept in a file and played again.
//!
//! A [`Recorder`] listens while a job runs: [`RecordedSerial`] and [`RecordedPower`] are put around the board's serial line and its power
//! switch, and the flasher notes what its file servers saw. What comes out is a [`Recording`], a file of JSON lines without secrets and
//! without a byte of the image.
//!
//! A [`Player`] makes devices of a recording: a serial line that says what the board said, once the job has typed what it typed then, a power
//! switch that answers as it did, and file servers that report the same transfers.

mod bytes_text;
mod entry;
mod file;
mod hide;
mod player;
mod recorder;
mod report;
mod sources;
mod stream;
mod wrappers;

pub use entry::{DeviceAnswer, Moment, PowerCall, RecordedError, RecordedMoment, ServerName};
pub use file::{FORMAT, FileError, Head, JobOptions, RecordedEnd, Recording, StopKeysSeen};
pub use hide::HIDDEN;
pub use player::{Difference, Played, Player};
pub use recorder::Recorder;
pub use sources::{PlayedSources, RecordedSources};
pub use wrappers::{RecordedPower, RecordedSerial};
