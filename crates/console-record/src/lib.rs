//! The record of a board's console, made in one place for everything that keeps or shows it.
//!
//! Bytes go into a [`Recorder`]. It makes an [`ConsoleEntry`] of each line: with the time of its first byte, without anything that a terminal
//! would obey, with secrets masked, of bounded length. Each [`Sink`] takes every entry, in order: a [`FileSink`] writes it to a file, others
//! keep the last lines for errors or hand them to the screen. So the same bytes look the same, with the same time, wherever they end.
//!
//! * [`Recorder`], [`Sink`]: from bytes to entries, and who takes them
//! * [`ConsoleEntry`], [`Direction`]: one line and its form in files
//! * [`FileSink`], [`FileEnd`]: a file that a thread of its own writes
//! * [`Log`]: a recorder and the end of a file, for a line that is open for long
//! * [`EscapeFilter`]: a stream of bytes without escape sequences

mod entry;
mod escapes;
mod file;
mod lines;
mod log;
mod recorder;
mod secrets;

pub use entry::{ConsoleEntry, Direction};
pub use escapes::EscapeFilter;
pub use file::{FileEnd, FileSink};
pub use log::Log;
pub use recorder::{Recorder, Sink};
