//! Typing a line into U-Boot and finding its prompt: echo compare, pacing, synchronisation.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{PROMPT_WITHIN, TYPED_WITHIN, UBoot};
use crate::console::deadline;
use crate::error::Error;
use crate::pattern::Pattern;

/// How often a line that arrives garbled is sent.
const TRIES: u32 = 3;
/// The pauses between characters of the second and the third try.
const PACES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(25)];
/// An echo that makes no progress for so long is complete.
const ECHO_QUIET: Duration = Duration::from_millis(400);
/// An echo that is not complete by then is lost among other output. A full line takes 4.3 s at 1200 baud.
const ECHO_WITHIN: Duration = Duration::from_secs(10);
/// Most characters of a wrong echo that are kept for the error: its end.
const ECHO_SHOWN: usize = 200;
const CTRL_C: &[u8] = b"\x03";

/// What came back for a line before it was completed.
enum Echo {
    Same,
    /// Nothing: the console does not echo, or only whole lines.
    Silent,
    Garbled(String),
}

/// Accepts what a line of U-Boot can carry: a tab would start a completion, other controls edit the line.
pub(super) fn check_printable(what: &'static str, text: &str) -> Result<(), Error> {
    if !text.trim().is_empty() && !text.chars().any(char::is_control) {
        return Ok(());
    }
    let problem = "must be one line of printable characters, without tabs";
    Err(Error::Invalid { what, value: text.escape_debug().to_string(), problem })
}

impl UBoot {
    /// Types `line` at the prompt and completes it once its echo has proven that it arrived.
    pub(super) async fn start_line(&mut self, line: &str) -> Result<(), Error> {
        if !self.at_prompt {
            self.resync(PROMPT_WITHIN).await?;
        }
        self.at_prompt = false;
        match timeout(TYPED_WITHIN, self.type_line(line)).await {
            Ok(typed) => typed,
            Err(_) => {
                let shown = self.transcript().masked(line);
                Err(self.console.timeout_error(&format!("echo of `{shown}`"), TYPED_WITHIN))
            }
        }
    }

    async fn type_line(&mut self, line: &str) -> Result<(), Error> {
        let mut received = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                self.slow_down(attempt);
                self.resync(PROMPT_WITHIN).await?;
                self.at_prompt = false;
            }
            self.console.discard();
            self.console.send(line.as_bytes()).await?;
            match self.echo_of(line).await? {
                Echo::Garbled(echo) => received = echo,
                Echo::Same => return self.console.send(b"\n").await,
                Echo::Silent => {
                    self.echoes = false;
                    return self.console.send(b"\n").await;
                }
            }
        }
        Err(self.garbled(line, &received))
    }

    /// Finds the prompt again, whatever is on the line: interrupts, waits for quiet, and has a marker echoed.
    pub(super) async fn resync(&mut self, within: Duration) -> Result<(), Error> {
        let until = deadline(within);
        loop {
            self.console.send(CTRL_C).await?;
            self.console.settle(Duration::from_millis(150), Duration::from_secs(1)).await?;
            if self.prove().await? {
                self.at_prompt = true;
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(self.console.timeout_error("answer from the U-Boot prompt", within));
            }
        }
    }

    /// Whether the other end echoes a random marker and then shows the prompt.
    async fn prove(&mut self) -> Result<bool, Error> {
        let marker = self.transcript().marker();
        self.console.discard();
        self.console.send(format!("echo {}\"{}\"\n", marker.first, marker.second).as_bytes()).await?;
        let steps = [Pattern::text(&marker.joined()), Pattern::text(&self.prompt)];
        for step in steps {
            if self.console.expect_until(&[step], deadline(Duration::from_secs(2))).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn echo_of(&mut self, line: &str) -> Result<Echo, Error> {
        if !self.echoes {
            return Ok(Echo::Silent);
        }
        let whole = [Pattern::text(line)];
        let mut quiet_since = self.console.received();
        let until = deadline(ECHO_WITHIN);
        loop {
            if let Some(found) = self.console.expect_until(&whole, deadline(ECHO_QUIET).min(until)).await? {
                return Ok(self.judge(&found.before, line));
            }
            if self.console.received() == quiet_since || Instant::now() >= until {
                return Ok(self.incomplete_echo());
            }
            quiet_since = self.console.received();
        }
    }

    /// A line that follows other characters on its line is not the line that was sent.
    fn judge(&self, before: &[u8], line: &str) -> Echo {
        let before = String::from_utf8_lossy(before);
        // A message that ends in a carriage return was not typed either.
        let same_line = before.rsplit(['\n', '\r']).next().unwrap_or_default();
        let typed = same_line.rsplit(self.prompt.as_str()).next().unwrap_or_default().trim();
        if typed.is_empty() { Echo::Same } else { Echo::Garbled(format!("{typed}{line}")) }
    }

    fn incomplete_echo(&self) -> Echo {
        let buffered = self.console.buffered();
        let shown = &buffered[buffered.len().saturating_sub(ECHO_SHOWN)..];
        let echo = String::from_utf8_lossy(shown).trim().to_owned();
        if echo.is_empty() { Echo::Silent } else { Echo::Garbled(echo) }
    }

    fn slow_down(&mut self, attempt: u32) {
        let pace = PACES[(attempt as usize - 1).min(PACES.len() - 1)];
        self.console.set_pacing(self.console.pacing().max(pace));
        self.transcript().note("echo differs from what was sent: sending slower");
    }

    fn garbled(&self, sent: &str, received: &str) -> Error {
        let shown = |text: &str| self.transcript().masked(text).escape_debug().to_string();
        Error::Garbled {
            sent: shown(sent),
            received: shown(received),
            tries: TRIES,
            tail: self.console.tail(),
        }
    }
}
