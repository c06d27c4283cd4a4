//! The U-Boot dialogue: one checked command at a time over a console whose prompt has been proven.

mod catch;
mod command;
mod env;
mod line;
mod net;
mod prompt;
mod share;
mod wait;

use std::time::Duration;

pub use catch::{CatchOptions, catch};
pub use net::Lease;

use crate::console::Console;
use crate::transcript::Transcript;

/// Characters of a line that U-Boot's line editor keeps: `CONFIG_SYS_CBSIZE` 512 less the final NUL. It drops the
/// rest without a word.
const LONGEST_LINE: usize = 511;
/// How long U-Boot may take to show a prompt when it has nothing to do.
const PROMPT_WITHIN: Duration = Duration::from_secs(5);
/// How long typing a line may take: three tries, the last with pauses of 25 ms between up to 511 characters, and the
/// prompt found again before each.
const TYPED_WITHIN: Duration = Duration::from_secs(75);
/// Commands that only touch the environment.
const QUICK: Duration = Duration::from_secs(10);

/// U-Boot at its prompt. The shell must be hush (`;`, `$?`), as it is by default.
///
/// Only one command runs at a time and nothing is typed ahead. Dropping a future of this type does no harm: the next
/// call interrupts what is still running and finds the prompt again.
#[derive(Debug)]
pub struct UBoot {
    console: Console,
    prompt: String,
    /// Whether the board is known to wait at its prompt.
    at_prompt: bool,
    /// Whether the board shows what it receives before the line is complete.
    echoes: bool,
    /// How autoboot ended.
    autoboot: Autoboot,
}

/// What a command of U-Boot answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UBootReply {
    /// Its status; 0 is success.
    pub status: i32,
    /// What it printed, lines ended by `\n`, without line ends at the end.
    pub output: String,
}

/// How autoboot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autoboot {
    /// A countdown was seen, and nothing but the prompt came after it: what was typed stopped it.
    Stopped,
    /// The boot loader printed something between the countdown and the prompt: it tried to start a system, and could not.
    RanOut,
    /// No countdown was seen: the boot loader waited at its prompt, or counts in silence.
    NoCountdown,
}

impl UBoot {
    /// How autoboot ended.
    pub fn autoboot(&self) -> Autoboot {
        self.autoboot
    }

    /// Gives the console back, U-Boot waiting at its prompt.
    pub fn into_console(self) -> Console {
        self.console
    }

    /// The record of the console.
    pub fn transcript(&self) -> &Transcript {
        self.console.transcript()
    }

    fn new(console: Console, prompt: String) -> Self {
        Self { console, prompt, at_prompt: false, echoes: true, autoboot: Autoboot::NoCountdown }
    }
}

#[cfg(test)]
mod tests;
