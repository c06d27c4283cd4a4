//! One command at U-Boot's prompt: typed, waited for, interrupted when it does not end.

use std::time::Duration;

use tokio::time::timeout;

use super::line::check_printable;
use super::wait::{Ended, Output, WaitOutcome, for_end};
use super::{LONGEST_LINE, PROMPT_WITHIN, UBoot, UBootReply};
use crate::cause::Cause;
use crate::console::{Console, deadline};
use crate::error::{Error, Tail};

/// What a command may take beyond its own time: typing it, and finding the prompt when it has not ended.
const SETTLED_WITHIN: Duration = Duration::from_secs(100);
/// The variable that holds a boot command which is too long for a line.
const BOOT_VARIABLE: &str = "long_boot_command";

impl UBoot {
    /// Runs `command` and gives what it printed, lines ended by `\n`, without line ends at the end.
    ///
    /// The command must be one line of printable characters, at most about 480 (511 less the marker that ends it).
    /// Whatever the board sends, it ends at most 100 s after `within`: typing the line and finding the prompt again
    /// have limits of their own.
    ///
    /// # Errors
    /// [`Error::Command`] when its status is not 0 or it prints one of U-Boot's error texts (without waiting for the
    /// deadline: the command is then interrupted), [`Error::Timeout`] when it takes longer than `within` (it is
    /// interrupted too, and the next command may follow), [`Error::Reset`] when the board restarts,
    /// [`Error::Garbled`] when the board does not echo what it is sent, [`Error::LineTooLong`],
    /// [`Error::Invalid`] and those of [`Console::expect`].
    pub async fn run(&mut self, command: &str, within: Duration) -> Result<String, Error> {
        let ended = self.execute(command, within, Output::Checked).await?;
        match (ended.status, ended.cause) {
            (Some(0), None) => Ok(ended.output),
            (status, cause) => Err(self.command_error(command, status, &ended.output, cause)),
        }
    }

    /// Runs `command` to its end, whatever its status is. Text that looks like an error is data.
    ///
    /// # Errors
    /// Those of [`Self::run`] but for a status that is not 0.
    pub async fn ask(&mut self, command: &str, within: Duration) -> Result<UBootReply, Error> {
        let ended = self.execute(command, within, Output::Data).await?;
        match ended.status {
            Some(status) => Ok(UBootReply { status, output: ended.output }),
            None => Err(self.command_error(command, None, &ended.output, None)),
        }
    }

    /// Sends the boot command `command` and gives the console back without waiting for anything but its echo.
    ///
    /// A command that is too long for a line is put into a variable in pieces and run from there.
    ///
    /// # Errors
    /// Those of [`Self::run`]. A boot that fails shows in [`login`](crate::login).
    pub async fn boot(mut self, command: &str) -> Result<Console, Error> {
        check_printable("boot command", command)?;
        if command.len() > LONGEST_LINE {
            self.set(BOOT_VARIABLE, command).await?;
            self.start_line(&format!("run {BOOT_VARIABLE}")).await?;
        } else {
            self.start_line(command).await?;
        }
        self.console.set_uboot_prompt(Some(self.prompt));
        Ok(self.console)
    }

    /// Runs `command` to its end, whatever its status is.
    pub(super) async fn execute(
        &mut self,
        command: &str,
        within: Duration,
        reading: Output,
    ) -> Result<Ended, Error> {
        let marker = self.transcript().marker();
        let end = format!("; echo {}\"{}\"$?", marker.first, marker.second);
        check_printable("U-Boot command", command)?;
        self.check_length(command, LONGEST_LINE - end.len())?;
        let line = format!("{command}{end}");
        let longest = within.saturating_add(SETTLED_WITHIN);
        let executed = timeout(longest, async {
            self.start_line(&line).await?;
            match for_end(self, &line, &marker, deadline(within), reading).await? {
                WaitOutcome::Ended(ended) => Ok(ended),
                outcome => self.stop(command, within, outcome).await,
            }
        });
        match executed.await {
            Ok(executed) => executed,
            Err(_) => Err(self.overdue(command, within, self.console.tail())),
        }
    }

    /// Interrupts a command that did not end by itself, so that the next one can follow.
    async fn stop(&mut self, command: &str, within: Duration, outcome: WaitOutcome) -> Result<Ended, Error> {
        let during = self.transcript().masked(command);
        let tail = self.console.tail();
        if let WaitOutcome::Altered { changed, length } = outcome {
            return Err(Error::Altered { command: during, changed, length, tail });
        }
        if matches!(outcome, WaitOutcome::Reset) {
            return Err(Error::Reset { during, tail });
        }
        // When the prompt does not come back the next command tries again and reports it.
        let _ = self.resync(PROMPT_WITHIN).await;
        match outcome {
            WaitOutcome::Failed(ended) | WaitOutcome::Ended(ended) => Ok(ended),
            _ => Err(self.overdue(command, within, tail)),
        }
    }

    fn overdue(&self, command: &str, within: Duration, tail: Tail) -> Error {
        let waited_for = format!("end of `{}`", self.transcript().masked(command));
        Error::Timeout { waited_for, within, tail }
    }

    fn check_length(&self, command: &str, limit: usize) -> Result<(), Error> {
        if command.len() <= limit {
            return Ok(());
        }
        let command_start: String = self.transcript().masked(command).chars().take(60).collect();
        Err(Error::LineTooLong { length: command.len(), limit, command: command_start + "…" })
    }

    pub(super) fn command_error(
        &self,
        command: &str,
        status: Option<i32>,
        output: &str,
        cause: Option<Cause>,
    ) -> Error {
        let masked = |text: &str| self.transcript().masked(text);
        Error::Command { command: masked(command), status, output: masked(output), cause }
    }
}
