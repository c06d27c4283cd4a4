//! Errors of this crate; those of a failed wait carry the last lines of the console.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use flasher_base::safe;

use crate::cause::Cause;

/// What went wrong on the console.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The stream failed.
    #[error("console stream failed: {source}{tail}")]
    Io {
        /// What the operating system says.
        source: std::io::Error,
        /// The last console lines.
        tail: Tail,
    },
    /// The transcript file could not be created or written.
    #[error("cannot write the console transcript `{}`: {source}", path.display())]
    Transcript {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A regular expression is not valid.
    #[error("`{pattern}` is not a regular expression: {source}")]
    Pattern {
        /// The expression.
        pattern: String,
        /// What is wrong with it.
        source: Box<regex::Error>,
    },
    /// An option or argument cannot be used.
    #[error("{what} `{value}` {problem}")]
    Invalid {
        /// Which option or argument.
        what: &'static str,
        /// Its value, control characters escaped.
        value: String,
        /// What is wrong with it and what is accepted.
        problem: &'static str,
    },
    /// What was waited for did not come in time.
    #[error("no {waited_for} within {}{tail}", seconds(.within))]
    Timeout {
        /// What was waited for.
        waited_for: String,
        /// How long.
        within: Duration,
        /// The last console lines.
        tail: Tail,
    },
    /// The stream ended.
    #[error("console closed while waiting for {waited_for}{tail}")]
    Closed {
        /// What was waited for.
        waited_for: String,
        /// The last console lines.
        tail: Tail,
    },
    /// U-Boot started the system without offering a countdown.
    #[error(
        "autoboot cannot be interrupted: U-Boot started and booted without a countdown (bootdelay 0 or -2, or its \
         countdown is silent); set bootdelay to 1 or more, or hold the board in its boot menu{tail}"
    )]
    AutobootNotInterruptible {
        /// The last console lines.
        tail: Tail,
    },
    /// The system started although U-Boot was to be stopped.
    #[error("U-Boot was missed, `{evidence}` was seen: {missed}{tail}")]
    Missed {
        /// The text that shows that the system is starting or running.
        evidence: String,
        /// How it came past U-Boot.
        missed: Missed,
        /// The last console lines.
        tail: Tail,
    },
    /// The boot loader answers, and its prompt is another one than it should be.
    #[error("the boot loader's prompt is `{found}`, expected `{expected}`{tail}")]
    OtherPrompt {
        /// The prompt that the board shows.
        found: String,
        /// The one that was looked for.
        expected: String,
        /// The last console lines.
        tail: Tail,
    },
    /// What comes over the line is no text.
    #[error("what the board sends is no text: {unreadable} of {received} bytes are no characters{tail}")]
    Unreadable {
        /// Bytes that are no text.
        unreadable: u64,
        /// All bytes that came.
        received: u64,
        /// The last console lines.
        tail: Tail,
    },
    /// An answer came with other characters than it was sent with.
    #[error(
        "the serial line changes characters: {changed} of {length} in the answer to `{command}` came wrong{tail}"
    )]
    Altered {
        /// The command that was answered.
        command: String,
        /// Characters that came wrong.
        changed: usize,
        /// Characters that were compared.
        length: usize,
        /// The last console lines.
        tail: Tail,
    },
    /// A command failed.
    #[error(
        "`{command}` failed{}{}{}", status_text(.status), cause_text(.cause), output_text(.output)
    )]
    Command {
        /// The command.
        command: String,
        /// Its exit status; none when it had to be interrupted or ended without one.
        status: Option<i32>,
        /// What it printed.
        output: String,
        /// Why, when the output tells.
        cause: Option<Cause>,
    },
    /// The board echoes something other than what it is sent.
    #[error(
        "the board received `{sent}` as `{received}` in {tries} tries, even sent slowly; check the serial line (baud \
         rate, ground, flow control){tail}"
    )]
    Garbled {
        /// What was sent.
        sent: String,
        /// What came back last.
        received: String,
        /// How often it was sent.
        tries: u32,
        /// The last console lines.
        tail: Tail,
    },
    /// A command is longer than the board's line editor takes.
    #[error(
        "command of {length} characters is longer than the {limit} a U-Boot line takes; put parts of it into \
         variables: `{command}`"
    )]
    LineTooLong {
        /// Characters of the command.
        length: usize,
        /// Characters that are accepted.
        limit: usize,
        /// The beginning of the command.
        command: String,
    },
    /// The board restarted while a command ran.
    #[error("the board reset during `{during}`: its boot loader started again{tail}")]
    Reset {
        /// The command.
        during: String,
        /// The last console lines.
        tail: Tail,
    },
    /// Linux did not come up.
    #[error("boot failed: {cause} (`{evidence}`){tail}")]
    Boot {
        /// Why.
        cause: Cause,
        /// The console line that shows it.
        evidence: String,
        /// The last console lines.
        tail: Tail,
    },
    /// Logging in failed.
    #[error("cannot log in as `{username}`: {problem}{tail}")]
    Login {
        /// The user name given, empty if none.
        username: String,
        /// What the board objects to.
        problem: LoginProblem,
        /// The last console lines.
        tail: Tail,
    },
    /// A command printed nothing for too long.
    #[error("`{command}` stalled: the console was silent for {}{tail}", seconds(.silent))]
    Stalled {
        /// The command.
        command: String,
        /// How long the console was silent.
        silent: Duration,
        /// The last console lines.
        tail: Tail,
    },
    /// A command succeeded but did not print what it must.
    #[error("`{command}` printed `{got}`, expected {expected}")]
    Unexpected {
        /// The command.
        command: String,
        /// What was expected of its output.
        expected: &'static str,
        /// What it printed.
        got: String,
    },
}

impl Error {
    /// Why the board failed, where the console tells.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::Command { cause, .. } => *cause,
            Self::Boot { cause, .. } => Some(*cause),
            Self::Reset { .. } => Some(Cause::BootLoaderAgain),
            _ => None,
        }
    }

    /// What went wrong, without the console lines that the whole text ends with.
    pub fn summary(&self) -> String {
        let mut text = self.to_string();
        text.truncate(text.len() - self.console_lines().len());
        text
    }

    /// What the text ends with: the last console lines, or what a command printed.
    fn console_lines(&self) -> String {
        match self {
            Self::Io { tail, .. }
            | Self::Timeout { tail, .. }
            | Self::Closed { tail, .. }
            | Self::AutobootNotInterruptible { tail }
            | Self::Missed { tail, .. }
            | Self::OtherPrompt { tail, .. }
            | Self::Unreadable { tail, .. }
            | Self::Altered { tail, .. }
            | Self::Garbled { tail, .. }
            | Self::Reset { tail, .. }
            | Self::Boot { tail, .. }
            | Self::Login { tail, .. }
            | Self::Stalled { tail, .. } => tail.to_string(),
            Self::Command { output, .. } => output_text(output),
            Self::Transcript { .. }
            | Self::Pattern { .. }
            | Self::Invalid { .. }
            | Self::LineTooLong { .. }
            | Self::Unexpected { .. } => String::new(),
        }
    }
}

/// How a board came past its boot loader.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Missed {
    /// What was typed did not stop the countdown.
    #[error("its countdown `{line}` went on although `interrupt` was typed")]
    Countdown {
        /// The countdown's line.
        line: String,
    },
    /// It was past the boot loader before anything was heard of it.
    #[error("the board was already past its boot loader")]
    AlreadyRunning,
}

/// What the board objects to at the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginProblem {
    /// User name or password is wrong.
    #[error("the board says that the login is incorrect; check user name and password")]
    Incorrect,
    /// The board asks for a user name and none is given.
    #[error("the board asks for a user name and none is configured")]
    UsernameWanted,
    /// The board asks for a password and none is given.
    #[error("the board asks for a password and none is configured")]
    PasswordWanted,
    /// The login prompt came back again and again.
    #[error("the login prompt keeps coming back")]
    Repeated,
}

/// The last lines of a console, oldest first; shown below an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail(pub Vec<String>);

impl Tail {
    /// How many lines an error carries.
    pub(crate) const LINES: usize = 10;
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("; the console was silent");
        }
        f.write_str("; last console lines:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  | {line}"))
    }
}

fn seconds(duration: &Duration) -> String {
    let text = format!("{:.3}", duration.as_secs_f64());
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

fn status_text(status: &Option<i32>) -> String {
    status.map_or_else(String::new, |status| format!(" with status {status}"))
}

fn cause_text(cause: &Option<Cause>) -> String {
    cause.map_or_else(String::new, |cause| format!(": {cause}"))
}

/// The last lines of the output, as [`Tail`] shows those of the console.
fn output_text(output: &str) -> String {
    let lines: Vec<_> = output.lines().filter(|line| !line.trim().is_empty()).map(safe::line).collect();
    if lines.is_empty() {
        return String::new();
    }
    let shown = &lines[lines.len().saturating_sub(Tail::LINES)..];
    format!("; it printed:\n  | {}", shown.join("\n  | "))
}

#[cfg(test)]
mod tests;
