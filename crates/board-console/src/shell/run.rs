//! The command protocol: the command goes into a variable, is checked for length, evaluated, and framed by random
//! markers; its status is kept so that it can be asked for again.
//!
//! One line, typed by us, does all of it; `V` holds the command, `W` what runs it, `S` its status:
//!
//! ```sh
//! V='…'; W='S=RAN; printf BEGIN; command eval "$V" </dev/null; S=RAN$?'; S=garbled
//! case ${#W} in LENGTH) case ${#V} in LENGTH) eval "$W";; esac;; esac; printf "END:$S:$?:"
//! ```
//!
//! `RAN` is another random word each time: an answer without it is that of a line that lost characters on the way, and
//! the command has not run. `RAN` alone is that of a command that began and was broken off, as by `^C`: it is
//! run again. `command` keeps a syntax error from ending the line (POSIX.1-2017, 2.8.1). A command that does not fit a line is
//! added to `V` piece by piece. Busybox's line editor takes 1023 characters, a Linux tty 4095.

use std::time::Duration;

use tokio::time::timeout;

use super::quote::typed;
use super::wait::{CommandMarkers, RunOutcome, Wait};
use super::{ANSWER_WITHIN, Output, Shell};
use crate::console::deadline;
use crate::error::Error;

/// Bytes of a command that are typed in one line; quoting makes them up to four times as many.
const PIECE: usize = 200;
/// What is longer after quoting is typed in pieces, in bytes.
const LONGEST_TYPED: usize = 600;
/// How often a command that arrives garbled is sent.
const TRIES: u32 = 6;
/// The pause between characters after that, and after it happens again.
const PACES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(10)];

/// What finding the shell again may take, and every try's beginning.
const SETTLED_WITHIN: Duration = Duration::from_secs(75);
/// What typing may take for each byte of a command: six tries at the slowest pace, up to four characters a byte.
const TYPED_WITHIN: Duration = Duration::from_millis(200);

impl Shell {
    /// Runs `command` (any shell text, of any length and any number of lines) and gives status and output.
    ///
    /// Whatever the board sends, it ends at most 75 s and 0.2 s a byte of the command after `within`: typing it, more
    /// slowly when it arrives garbled, and finding the shell again have limits of their own.
    ///
    /// # Errors
    /// [`Error::Timeout`] when it takes longer than `within`: it is interrupted (`^C`) and the next command may
    /// follow. [`Error::Boot`] when the kernel panics, [`Error::Reset`] when the boot loader starts again,
    /// [`Error::Garbled`] when the command does not arrive whole, [`Error::Invalid`] for a NUL in the command, and
    /// those of [`Console::expect`](crate::Console::expect). A status that is not 0 is not an error.
    pub async fn run(&mut self, command: &str, within: Duration) -> Result<Output, Error> {
        run_bounded(self, command, within, None).await
    }

    /// As [`Self::run`], for a command that must succeed; gives its output.
    ///
    /// # Errors
    /// [`Error::Command`] when its status is not 0, and those of [`Self::run`].
    pub async fn check(&mut self, command: &str, within: Duration) -> Result<String, Error> {
        let Output { status, text } = self.run(command, within).await?;
        if status == 0 {
            return Ok(text);
        }
        let masked = |text: &str| self.transcript().masked(text);
        Err(Error::Command {
            command: masked(command),
            status: Some(status),
            output: masked(&text),
            cause: None,
        })
    }

    /// As [`Self::run`], for a long command that keeps printing: silence for `stall` ends it. Its lines can be seen
    /// as they come with [`Transcript::on_line`](crate::Transcript::on_line).
    ///
    /// # Errors
    /// [`Error::Stalled`] when nothing comes for `stall` (it is interrupted), and those of [`Self::run`].
    pub async fn watch(
        &mut self,
        command: &str,
        within: Duration,
        stall: Option<Duration>,
    ) -> Result<Output, Error> {
        run_bounded(self, command, within, stall).await
    }
}

async fn run_bounded(
    shell: &mut Shell,
    command: &str,
    within: Duration,
    stall: Option<Duration>,
) -> Result<Output, Error> {
    let length = u32::try_from(command.len()).unwrap_or(u32::MAX);
    let longest = within.saturating_add(SETTLED_WITHIN).saturating_add(TYPED_WITHIN.saturating_mul(length));
    match timeout(longest, run_tries(shell, command, within, stall)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let command = shell.transcript().masked(command);
            Err(shell.console.timeout_error(&format!("end of `{command}`"), within))
        }
    }
}

async fn run_tries(
    shell: &mut Shell,
    command: &str,
    within: Duration,
    stall: Option<Duration>,
) -> Result<Output, Error> {
    if command.contains('\0') {
        let value = command.escape_debug().to_string();
        return Err(Error::Invalid { what: "shell command", value, problem: "must not contain a NUL" });
    }
    // `$(…)` in `typed` takes these away, and the length is checked.
    let command = command.trim_end_matches('\n');
    for attempt in 0..TRIES {
        if attempt > 0 {
            slow_down(shell, attempt);
        }
        if !shell.idle {
            shell.resync().await?;
        }
        shell.idle = false;
        let outcome = attempt_once(shell, command, within, stall).await?;
        match outcome {
            RunOutcome::Done(output) => {
                shell.idle = true;
                return Ok(output);
            }
            RunOutcome::Garbled => {}
            RunOutcome::Stopped(error) => return Err(give_up(shell, error).await),
        }
    }
    Err(Error::Garbled {
        sent: shell.transcript().masked(command),
        received: "another text".into(),
        tries: TRIES,
        tail: shell.console.tail(),
    })
}

async fn attempt_once(
    shell: &mut Shell,
    command: &str,
    within: Duration,
    stall: Option<Duration>,
) -> Result<RunOutcome, Error> {
    let until = deadline(within);
    let expression = typed(command);
    let assign = if expression.len() <= LONGEST_TYPED {
        format!("__v={expression}; ")
    } else {
        if !type_pieces(shell, command).await? {
            return Ok(RunOutcome::Garbled);
        }
        String::new()
    };
    let frame = CommandMarkers::new(shell.transcript());
    shell.console.discard();
    shell.console.send(format!("{assign}{}\n", frame.line(command)).as_bytes()).await?;
    Wait::new(shell, command, frame, stall)?.for_end(until, within).await
}

/// Adds `command` to the variable piece by piece; whether every piece arrived.
async fn type_pieces(shell: &mut Shell, command: &str) -> Result<bool, Error> {
    let mut rest = command;
    let mut value = "";
    while !rest.is_empty() {
        let end = if rest.len() > PIECE {
            shell.transcript().cut(rest, at_a_word(rest)).max(1)
        } else {
            rest.len()
        };
        let end = (end..=rest.len()).find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
        // A line end at the end of a piece would be lost.
        let end = end + rest[end..].bytes().take_while(|byte| *byte == b'\n').count();
        let end =
            if rest[..end].ends_with('\n') && end < rest.len() { next_boundary(rest, end) } else { end };
        let (piece, left) = rest.split_at(end);
        if !super::ask(&mut shell.console, &format!("__v={value}{}", typed(piece)), ANSWER_WITHIN * 2).await?
        {
            return Ok(false);
        }
        (rest, value) = (left, "$__v");
    }
    Ok(true)
}

/// Where a piece may end: behind a blank when there is one not far back, so that a path stays whole in the transcript.
fn at_a_word(text: &str) -> usize {
    let window = &text.as_bytes()[PIECE / 2..PIECE];
    window.iter().rposition(|byte| *byte == b' ').map_or(PIECE, |blank| PIECE / 2 + blank + 1)
}

fn next_boundary(text: &str, place: usize) -> usize {
    (place + 1..=text.len()).find(|place| text.is_char_boundary(*place)).unwrap_or(text.len())
}

fn slow_down(shell: &mut Shell, attempt: u32) {
    let pace = PACES[(attempt as usize - 1).min(PACES.len() - 1)];
    let pace = shell.console.pacing().max(pace);
    shell.console.set_pacing(pace);
    shell.transcript().note("the command did not arrive whole: sending slower");
}

/// Interrupts a command that did not end; `error` says why it was given up.
async fn give_up(shell: &mut Shell, error: Error) -> Error {
    if !matches!(error, Error::Reset { .. } | Error::Boot { .. }) {
        // When the shell does not come back the next command tries again and reports it.
        let _ = shell.resync().await;
    }
    error
}
