//! The Linux-shell dialogue: logging in, and commands whose output and status are separated from everything else
//! on the console.

mod login;
mod quote;
mod run;
mod wait;

use std::time::Duration;

pub use login::{LoginOptions, login};
pub use quote::quote;

use crate::console::{Console, deadline};
use crate::error::Error;
use crate::pattern::Pattern;
use crate::transcript::Transcript;

/// How long a shell may take to answer when it has nothing to do.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How long a shell may take to come back after its command was interrupted.
const RESYNC_WITHIN: Duration = Duration::from_secs(10);
const CTRL_C: &[u8] = b"\x03";

/// A proven POSIX shell (busybox ash, dash, bash) on the console.
///
/// Commands run one at a time in this one shell, so variables and the working directory stay. Their standard input is
/// `/dev/null`. Dropping a future of this type does no harm: the next call interrupts what is still running and
/// proves the shell again.
#[derive(Debug)]
pub struct Shell {
    console: Console,
    /// Whether the shell is known to wait for a command.
    idle: bool,
}

/// What a command gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The exit status, 0 to 255.
    pub status: i32,
    /// What it printed (standard output and error), lines ended by `\n`, without line ends at the end, as `$(…)`
    /// gives it. Of more than 1 MiB the end. Kernel messages that came meanwhile are among it.
    pub text: String,
}

impl Shell {
    /// Gives the console back. The shell stays in its quiet mode, without echo and prompt.
    pub fn into_console(self) -> Console {
        self.console
    }

    /// The record of the console.
    pub fn transcript(&self) -> &Transcript {
        self.console.transcript()
    }

    /// Has a shell that was just proven stop echoing and prompting, and the kernel stop talking, as far as they do.
    ///
    /// Nothing depends on it: it makes the console faster and messages rarer.
    async fn quiet(console: &mut Console) -> Result<(), Error> {
        let line = "stty -echo 2>/dev/null; unset HISTFILE PROMPT_COMMAND; PS1= PS2=; dmesg -n 1 2>/dev/null";
        for _ in 0..3 {
            if ask(console, line, ANSWER_WITHIN).await? {
                return Ok(());
            }
        }
        Err(console.timeout_error("answer from the shell when its echo was switched off", ANSWER_WITHIN * 3))
    }

    /// Interrupts what is running and waits until the shell answers.
    async fn resync(&mut self) -> Result<(), Error> {
        let until = deadline(RESYNC_WITHIN);
        loop {
            self.console.send(CTRL_C).await?;
            self.console.settle(Duration::from_millis(100), Duration::from_secs(1)).await?;
            if prove(&mut self.console).await? {
                self.idle = true;
                return Ok(());
            }
            if tokio::time::Instant::now() >= until {
                return Err(self.console.timeout_error("answer from the shell", RESYNC_WITHIN));
            }
        }
    }
}

/// Whether a shell answers on the console: prints a random marker that it must put together itself.
async fn prove(console: &mut Console) -> Result<bool, Error> {
    ask(console, ":", ANSWER_WITHIN).await
}

/// Runs `line` without looking at what it prints; whether its end was seen in time. The marker of the end comes twice:
/// a kernel message that tears one copy apart leaves the other whole.
async fn ask(console: &mut Console, line: &str, within: Duration) -> Result<bool, Error> {
    let marker = console.transcript().marker();
    console.discard();
    let halves = format!("{} {}", marker.first, marker.second);
    console.send(format!("{line}; printf '%s%s\\n' {halves} {halves}\n").as_bytes()).await?;
    let answer = Pattern::text(&marker.joined());
    Ok(console.expect_until(&[answer], deadline(within)).await?.is_some())
}

#[cfg(test)]
mod tests;
