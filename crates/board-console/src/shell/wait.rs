//! The markers of one command, and waiting for its end: its status, a panic, a boot loader, silence, or the deadline.

use std::time::Duration;

use tokio::time::Instant;

use super::{Output, Shell};
use crate::cause::Cause;
use crate::cause_texts::{BANNER, kernel_fatal};
use crate::console::{BUFFER, Found, deadline};
use crate::error::Error;
use crate::marker::Marker;
use crate::pattern::Pattern;
use crate::transcript::Transcript;

/// Silence after which the status is asked for, in case a kernel message tore the end marker apart. Doubled each time, and anew
/// after each sign of life.
const FIRST_QUESTION: Duration = Duration::from_secs(2);
/// A console that never falls silent is asked after so long all the same. Doubled each time, so that the questions fit
/// the tty's buffer of 4095 characters while a command runs for hours.
const FIRST_QUESTION_IN_NOISE: Duration = Duration::from_secs(4);
/// A panic or a banner counts when the command does not end within this time after it: a log may be printed.
const GRACE: Duration = Duration::from_secs(3);

/// How a try to run a command ended.
pub(super) enum RunOutcome {
    Done(Output),
    /// The command did not arrive whole, or was broken off: it is run again.
    Garbled,
    /// The command runs on, or the board is lost.
    Stopped(Error),
}

/// The markers of one command.
pub(super) struct CommandMarkers {
    begin: Marker,
    end: Marker,
    /// Stands before the status of a command that has run.
    ran: String,
}

impl CommandMarkers {
    pub(super) fn new(transcript: &Transcript) -> Self {
        Self { begin: transcript.marker(), end: transcript.marker(), ran: transcript.marker().first }
    }

    /// Runs the command in the variable. The shell counts bytes or characters, depending on its locale.
    pub(super) fn line(&self, command: &str) -> String {
        let Marker { first, second } = &self.begin;
        let (bytes, characters) = (command.len(), command.chars().count());
        let ran = &self.ran;
        let runs = format!(
            "__s={ran}; printf \"%s%s\\n\" {first} {second}; command eval \"$__v\" </dev/null; __s={ran}$?"
        );
        format!(
            "__w='{runs}'; __s=garbled; case ${{#__w}} in {}) case ${{#__v}} in {bytes}|{characters}) eval \"$__w\";; \
             esac;; esac; {}",
            runs.len(),
            self.question()
        )
    }

    /// Prints the status, also again.
    fn question(&self) -> String {
        let Marker { first, second } = &self.end;
        format!("printf '%s%s:%s:%s:\\n' {first} {second} \"$__s\" \"$?\"")
    }
}

/// When the status is asked for next, and after what pause.
struct Question {
    pause: Duration,
    due: Instant,
}

impl Question {
    fn after(pause: Duration) -> Self {
        Self { pause, due: deadline(pause) }
    }

    /// After twice the pause.
    fn later(&self) -> Self {
        Self::after(self.pause.saturating_mul(2))
    }
}

/// A command that runs.
pub(super) struct Wait<'s> {
    shell: &'s mut Shell,
    command: &'s str,
    frame: CommandMarkers,
    patterns: [Pattern; 3],
    output: Vec<u8>,
    stall: Option<Duration>,
    /// Bytes received when the board last printed something of its own, and when that was.
    heard: (u64, Instant),
    /// The echo of our own question is not a sign of life: bytes of it that may still come.
    own_echo: u64,
    when_silent: Question,
    in_noise: Question,
    suspicion: Option<(Error, Instant)>,
}

impl<'s> Wait<'s> {
    pub(super) fn new(
        shell: &'s mut Shell,
        command: &'s str,
        frame: CommandMarkers,
        stall: Option<Duration>,
    ) -> Result<Self, Error> {
        let end = Pattern::regex(&format!(r"{}:[0-9a-z]*:\d+:\r?\n", frame.end.joined()))?;
        let heard = (shell.console.received(), Instant::now());
        Ok(Self {
            patterns: [end, kernel_fatal(), Pattern::regex(BANNER)?],
            when_silent: Question::after(FIRST_QUESTION),
            in_noise: Question::after(FIRST_QUESTION_IN_NOISE),
            own_echo: 0,
            suspicion: None,
            output: Vec::new(),
            shell,
            command,
            frame,
            stall,
            heard,
        })
    }

    pub(super) async fn for_end(mut self, until: Instant, within: Duration) -> Result<RunOutcome, Error> {
        loop {
            let wake = self.wake(until);
            match self.shell.console.expect_until(&self.patterns, wake).await? {
                Some(found) if found.index == 0 => return Ok(self.ended(&found)),
                Some(found) => self.suspect(&found).await?,
                None => {}
            }
            self.listen();
            if let Some(error) = self.given_up(until, within) {
                return Ok(RunOutcome::Stopped(error));
            }
            if Instant::now() >= self.next_question() {
                self.ask_again().await?;
            }
        }
    }

    /// When something is to be decided next.
    fn wake(&self, until: Instant) -> Instant {
        let stalled = self.stall.map(|stall| self.heard.1 + stall);
        let suspicion = self.suspicion.as_ref().map(|(_, when)| *when);
        [stalled, suspicion].into_iter().flatten().fold(until.min(self.next_question()), Instant::min)
    }

    fn next_question(&self) -> Instant {
        self.when_silent.due.min(self.in_noise.due)
    }

    /// Notes signs of life; silence is counted from the last one.
    fn listen(&mut self) {
        let received = self.shell.console.received();
        let new = received - self.heard.0;
        let echo = new.min(self.own_echo);
        self.own_echo -= echo;
        self.heard.0 = received;
        if new > echo {
            self.heard.1 = Instant::now();
            self.when_silent = Question::after(FIRST_QUESTION);
        }
    }

    fn given_up(&mut self, until: Instant, within: Duration) -> Option<Error> {
        let now = Instant::now();
        if let Some((error, _)) = self.suspicion.take_if(|(_, when)| *when <= now) {
            return Some(error);
        }
        let command = self.shell.transcript().masked(self.command);
        let tail = self.shell.console.tail();
        match self.stall {
            _ if now >= until => {
                Some(Error::Timeout { waited_for: format!("end of `{command}`"), within, tail })
            }
            Some(stall) if now >= self.heard.1 + stall => {
                Some(Error::Stalled { command, silent: stall, tail })
            }
            _ => None,
        }
    }

    /// The question waits in the tty until the command is over: it does not read what is typed.
    async fn ask_again(&mut self) -> Result<(), Error> {
        // The line before may have lost its end.
        let question = format!("\n{}\n", self.frame.question());
        self.own_echo = question.len() as u64 + 2;
        self.when_silent = self.when_silent.later();
        self.in_noise = self.in_noise.later();
        self.shell.console.send(question.as_bytes()).await
    }

    async fn suspect(&mut self, found: &Found) -> Result<(), Error> {
        self.keep(&found.before);
        self.keep(&found.matched);
        if self.suspicion.is_some() {
            return Ok(());
        }
        let tail = self.shell.console.tail();
        let evidence = String::from_utf8_lossy(&found.matched).into_owned();
        let error = match Cause::of(&found.matched) {
            Some(cause) => Error::Boot { cause, evidence, tail },
            None => Error::Reset { during: self.shell.transcript().masked(self.command), tail },
        };
        self.suspicion = Some((error, deadline(GRACE)));
        Ok(())
    }

    fn ended(&mut self, found: &Found) -> RunOutcome {
        self.keep(&found.before);
        let marked = String::from_utf8_lossy(&found.matched);
        let status =
            marked.split(':').nth(1).and_then(|status| status.strip_prefix(&self.frame.ran)?.parse().ok());
        match status {
            Some(status) => RunOutcome::Done(Output { status, text: self.text() }),
            None => RunOutcome::Garbled,
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
        let excess = self.output.len().saturating_sub(BUFFER);
        self.output.drain(..excess);
    }

    /// What the command printed: from the begin marker on, if it is whole, without what we typed.
    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.output).replace("\r\n", "\n").replace("\r\r\n", "\n");
        let begin = self.frame.begin.joined();
        let text = match text.split_once(&begin) {
            Some((_, text)) => text.strip_prefix('\n').unwrap_or(text),
            None => &text,
        };
        let question = self.frame.question();
        let text = text.replace(&format!("{question}\n"), "").replace(&question, "");
        text.trim_end_matches('\n').to_owned()
    }
}
