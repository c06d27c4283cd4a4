//! One line of a record, and its form in files.

use std::fmt;
use std::time::SystemTime;

use flasher_base::clock;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The board printed it.
    Received,
    /// It was sent to the board.
    Sent,
    /// A note of ours, such as `power on`.
    Note,
}

impl Direction {
    /// What stands for it in files: `<`, `>` or `#`.
    pub fn sign(self) -> char {
        match self {
            Self::Received => '<',
            Self::Sent => '>',
            Self::Note => '#',
        }
    }
}

/// A line of a record. Its text is safe to show: nothing in it steers a terminal, and secrets are masked.
///
/// In files it is `TIME SIGN TEXT`, the time in UTC as RFC 3339 with milliseconds: `2026-11-28T20:24:41.123Z < U-Boot 2023.01`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleEntry {
    /// When its first byte came or went.
    pub time: SystemTime,
    /// Where it came from.
    pub direction: Direction,
    /// The line without its end.
    pub text: String,
}

impl fmt::Display for ConsoleEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", clock::milliseconds(self.time), self.direction.sign(), self.text)
    }
}
