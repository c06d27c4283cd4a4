//! Waiting for the end of a U-Boot command: its marker, an error text, a reset, or the deadline.

use std::time::Duration;

use tokio::time::Instant;

use super::{PROMPT_WITHIN, UBoot};
use crate::cause::Cause;
use crate::cause_texts::{BANNER, uboot_fatal};
use crate::console::{BUFFER, Found, deadline};
use crate::error::Error;
use crate::marker::Marker;
use crate::pattern::Pattern;

/// An error text or a banner counts when the command does not end by itself within this time after it: `version`
/// prints a banner too.
const GRACE: Duration = Duration::from_millis(1500);
/// A prompt at the beginning of a line that nothing follows for so long is asked whether it is one.
const REST: Duration = Duration::from_secs(2);

/// Hush's second prompt: the command is not complete, as with an unclosed quote.
const CONTINUATION: &str = "\n> ";

/// How strictly the output of a command is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// A known error text makes the command fail.
    Checked,
    /// Any text is data.
    Data,
}

/// A command that is over.
pub(super) struct Ended {
    pub(super) output: String,
    /// None when it was cut short or the prompt came back without a status.
    pub(super) status: Option<i32>,
    pub(super) cause: Option<Cause>,
}

/// How the wait ended.
pub(super) enum WaitOutcome {
    Ended(Ended),
    /// An error text was seen and the command goes on.
    Failed(Ended),
    Reset,
    /// The marker came, with other characters in it.
    Altered {
        changed: usize,
        length: usize,
    },
    TimedOut,
}

/// What was seen that decides the outcome unless the command ends by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Suspicion {
    Error,
    Reset,
    /// The prompt, without the marker.
    Prompt,
    /// The prompt for more of the command.
    Continuation,
}

struct Wait<'u> {
    uboot: &'u mut UBoot,
    line: &'u str,
    reading: Output,
    marker: &'u Marker,
    output: Vec<u8>,
    suspicion: Option<(Suspicion, Instant)>,
}

/// Waits until the command of `line`, which prints `marker` and its status at the end, is over.
pub(super) async fn for_end(
    uboot: &mut UBoot,
    line: &str,
    marker: &Marker,
    until: Instant,
    reading: Output,
) -> Result<WaitOutcome, Error> {
    let patterns = [
        Pattern::regex(&format!(r"{}\d+[\r\n]", marker.joined()))?,
        Pattern::regex(BANNER)?,
        Pattern::text(&uboot.prompt),
        Pattern::text(CONTINUATION),
        uboot_fatal(),
    ];
    let patterns = if reading == Output::Data { &patterns[..4] } else { &patterns[..] };
    let mut wait = Wait { uboot, line, reading, marker, output: Vec::new(), suspicion: None };
    loop {
        let end = wait.suspicion.map_or(until, |(_, when)| when.min(until));
        match wait.uboot.console.expect_until(patterns, end).await? {
            Some(found) if found.index == 0 => return wait.ended(&found).await,
            Some(found) => wait.suspect(&found),
            None => {
                if let Some(outcome) = wait.judge(until).await? {
                    return Ok(outcome);
                }
            }
        }
    }
}

impl Wait<'_> {
    async fn ended(mut self, found: &Found) -> Result<WaitOutcome, Error> {
        self.keep(&found.before);
        let digits = &found.matched[self.marker.joined().len()..found.matched.len() - 1];
        let status = String::from_utf8_lossy(digits).parse().unwrap_or(i32::MAX);
        let prompt = Pattern::text(&self.uboot.prompt);
        self.uboot.console.expect(&[prompt], PROMPT_WITHIN).await?;
        self.uboot.at_prompt = true;
        Ok(WaitOutcome::Ended(self.over(Some(status))))
    }

    fn suspect(&mut self, found: &Found) {
        self.keep(&found.before);
        let at_line_start = self.output.last().is_none_or(|byte| *byte == b'\n');
        self.keep(&found.matched);
        let suspicion = match found.index {
            1 => (Suspicion::Reset, deadline(GRACE)),
            2 if at_line_start => (Suspicion::Prompt, deadline(REST)),
            3 if self.output.trim_ascii() == b">" => (Suspicion::Continuation, deadline(REST)),
            4 => (Suspicion::Error, deadline(GRACE)),
            _ => return,
        };
        // A board that has reset says much that looks like an error or a prompt: the reset is the cause.
        let known = self.suspicion.map(|(known, _)| known);
        if known != Some(Suspicion::Reset)
            && (known != Some(Suspicion::Error) || suspicion.0 == Suspicion::Reset)
        {
            self.suspicion = Some(suspicion);
        }
    }

    /// The time of a suspicion, or of the command, is over.
    async fn judge(&mut self, until: Instant) -> Result<Option<WaitOutcome>, Error> {
        let buffered = self.uboot.console.buffered().to_vec();
        let in_time = Instant::now() < until;
        let outcome = match self.suspicion.take() {
            Some((Suspicion::Reset, _)) => WaitOutcome::Reset,
            Some((Suspicion::Error, _)) => {
                self.keep(&buffered);
                WaitOutcome::Failed(self.over(None))
            }
            Some((Suspicion::Prompt, _)) if in_time && buffered.trim_ascii().is_empty() => {
                return self.ask_prompt().await;
            }
            Some((Suspicion::Continuation, _)) if buffered.trim_ascii().is_empty() => {
                WaitOutcome::Failed(self.over(None))
            }
            _ if in_time => return Ok(None),
            _ => {
                self.keep(&buffered);
                self.too_late()
            }
        };
        Ok(Some(outcome))
    }

    /// A marker that came with other characters is the line's fault, not the command's.
    fn too_late(&self) -> WaitOutcome {
        match self.marker.changes_in(&self.output) {
            Some(changed) => WaitOutcome::Altered { changed, length: self.marker.joined().len() },
            None => WaitOutcome::TimedOut,
        }
    }

    /// The prompt seems to be back although the marker was not printed, as after a syntax error.
    async fn ask_prompt(&mut self) -> Result<Option<WaitOutcome>, Error> {
        let probe = self.uboot.transcript().marker();
        let line = format!("echo {}\"{}\"\n", probe.first, probe.second);
        self.uboot.console.send(line.as_bytes()).await?;
        let answer = Pattern::text(&probe.joined());
        let answered = self.uboot.console.expect_until(&[answer], deadline(REST)).await?.is_some();
        Ok(answered.then(|| WaitOutcome::Failed(self.over(None))))
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
        let excess = self.output.len().saturating_sub(BUFFER);
        self.output.drain(..excess);
    }

    fn over(&self, status: Option<i32>) -> Ended {
        let text = String::from_utf8_lossy(&self.output).replace('\r', "");
        let text = text.trim_start_matches([' ', '\n']);
        let output = text.strip_prefix(self.line).unwrap_or(text).trim_matches('\n').to_owned();
        let cause = (self.reading == Output::Checked).then(|| Cause::in_uboot_output(&self.output)).flatten();
        Ended { output, status, cause }
    }
}
