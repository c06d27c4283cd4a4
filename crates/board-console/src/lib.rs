//! Expect engine, U-Boot dialogue and Linux-shell dialogue over any byte stream.
//!
//! The path through the crate is the path of a board: a [`Console`] over the serial stream, [`catch`] to stop U-Boot
//! and speak to it as [`UBoot`], [`UBoot::boot`] to start Linux, [`login`] to speak to it as [`Shell`]. Everything
//! received and sent is in the [`Transcript`], and every error of a failed wait quotes its last lines.
//!
//! The other end is never trusted: buffers are bounded, escape sequences are removed before matching, a prompt is
//! believed only after it has echoed a random marker, and every wait has a deadline.

mod blame;
mod cause;
mod cause_texts;
mod console;
mod error;
mod marker;
mod pattern;
mod shell;
mod transcript;
mod uboot;

pub use cause::Cause;
pub use console::{ByteStream, Console, Found};
pub use console_record::ConsoleEntry;
pub use error::{Error, LoginProblem, Missed, Tail};
pub use pattern::Pattern;
pub use shell::{LoginOptions, Output, Shell, login, quote};
pub use transcript::Transcript;
pub use uboot::{Autoboot, CatchOptions, Lease, UBoot, UBootReply, catch};

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod testing;
