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
//! the command has not run. `RAN` alone is that of a shell that gave the line up halfway, as some do after a syntax
//! error; it has the status in `$?`. `command` keeps a syntax error from ending the line (POSIX.1-2017, 2.8.1). A command that does not fit a line is
//! added to `V` piece by piece. Busybox's line editor takes 1023 characters, a Linux tty 4095.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::quote::typed;
use super::{ANSWER_WITHIN, Output, Shell};
use crate::cause::{BANNER, Cause, kernel_fatal};
use crate::console::{BUFFER, Found, deadline};
use crate::error::Error;
use crate::marker::Marker;
use crate::pattern::Pattern;
use crate::transcript::Transcript;

/// Bytes of a command that are typed in one line; quoting makes them up to four times as many.
const PIECE: usize = 200;
/// What is longer after quoting is typed in pieces, in bytes.
const LONGEST_TYPED: usize = 600;
/// Silence after which the status is asked for, in case a kernel message tore the end marker apart. Doubled each time.
const FIRST_QUESTION: Duration = Duration::from_secs(2);
/// A console that never falls silent is asked after so long all the same. Doubled each time, so that the questions fit
/// the tty's buffer of 4095 characters while a command runs for hours.
const FIRST_QUESTION_IN_NOISE: Duration = Duration::from_secs(4);
/// A panic or a banner counts when the command does not end within this time after it: a log may be printed.
const GRACE: Duration = Duration::from_secs(3);
/// How often a command that arrives garbled is sent.
const TRIES: u32 = 6;
/// The pause between characters after that, and after it happens again.
const PACES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(10)];

/// What finding the shell again may take, and every try's beginning.
const SETTLED_WITHIN: Duration = Duration::from_secs(75);
/// What typing may take for each byte of a command: six tries at the slowest pace, up to four characters a byte.
const TYPED_WITHIN: Duration = Duration::from_millis(200);

pub(super) async fn run(
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

enum RunOutcome {
    Done(Output),
    /// The command did not arrive whole and was not run.
    Garbled,
    /// The command runs on, or the board is lost.
    Stopped(Error),
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

/// The markers of one command.
struct CommandMarkers {
    begin: Marker,
    end: Marker,
    /// Stands before the status of a command that has run.
    ran: String,
}

impl CommandMarkers {
    fn new(transcript: &Transcript) -> Self {
        Self { begin: transcript.marker(), end: transcript.marker(), ran: transcript.marker().first }
    }

    /// Runs the command in the variable. The shell counts bytes or characters, depending on its locale.
    fn line(&self, command: &str) -> String {
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

struct Wait<'s> {
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
    fn new(
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

    async fn for_end(mut self, until: Instant, within: Duration) -> Result<RunOutcome, Error> {
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
