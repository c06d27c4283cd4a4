//! A board with a working shell, network and our script: what is asked of it, and what it complains of.

use std::time::Duration;

use board_console::{Output, Shell, quote};
use flasher_core::flash::Wire;
use flasher_core::{Class, Error, Result, RootCause};

use super::script::{self, Answer, ScriptError};
use crate::config::seconds;
use crate::job::{Session, WritePermit};
use crate::trouble;

/// The script's name on the board.
pub(super) const NAME: &str = "guest.sh";
/// The stream of frames.
pub(super) const FRAMES: &str = "frames";
/// The list of ranges that are read back.
pub(super) const RANGES: &str = "ranges";
/// Where the board sends what it reads.
pub(super) const READ_BACK: &str = "read-back";
/// A piece of the image, by which the ways are measured.
pub(super) const SAMPLE: &str = "sample";
/// Everything that a board may fetch or send to in a job.
pub(super) const PUBLISHED: [&str; 5] = [NAME, FRAMES, RANGES, READ_BACK, SAMPLE];
/// Bound on one command that moves a whole image; a standstill is noticed long before.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The small Linux on the board.
pub(crate) struct Guest<'a> {
    pub(super) session: Session<'a>,
    pub(super) shell: Shell,
    /// Folder of this job on the board.
    folder: String,
    /// Where this job's content is served, with a slash at the end.
    pub(super) url: String,
    /// Whether the board sends what it reads, as far as is known.
    pub(super) sends: bool,
    /// How the image travels to it.
    pub(super) wire: Wire,
}

impl<'a> Guest<'a> {
    /// Logged in on `shell`, in `folder`; `url` is where it finds this job's content.
    pub(super) fn new(session: Session<'a>, shell: Shell, folder: String, url: String) -> Self {
        Self { session, shell, folder, url, sends: true, wire: Wire::Identity }
    }

    /// Runs a command of the shell, however it ends.
    pub(super) async fn run(&mut self, command: &str) -> Result<Output> {
        let within = self.within();
        self.shell.run(command, within).await.map_err(|error| trouble::console(&error))
    }

    /// Gives what a command prints, which must end with status 0.
    pub(super) async fn check(&mut self, command: &str) -> Result<String> {
        let within = self.within();
        self.shell.check(command, within).await.map_err(|error| trouble::console(&error))
    }

    /// Runs a command that may write to a medium, which must end with status 0.
    pub(super) async fn change(&mut self, command: &str, _counted: WritePermit) -> Result<()> {
        self.check(command).await.map(drop)
    }

    /// Runs one of the script's commands that write to a medium, and gives its answers.
    pub(super) async fn write_script(
        &mut self,
        arguments: &[&str],
        stall: Option<Duration>,
        _counted: WritePermit,
    ) -> Result<Vec<Answer>> {
        self.script(arguments, LONGEST, stall).await
    }

    /// Runs one of the script's commands that write to no medium, and gives its answers.
    pub(super) async fn script(
        &mut self,
        arguments: &[&str],
        within: Duration,
        stall: Option<Duration>,
    ) -> Result<Vec<Answer>> {
        let words: Vec<String> = arguments.iter().map(|word| quote(word)).collect();
        let command = format!("sh {}/{NAME} {}", quote(&self.folder), words.join(" "));
        let output =
            self.shell.watch(&command, within, stall).await.map_err(|error| trouble::console(&error))?;
        let answers = script::answers(&output.text);
        if answers.is_empty() {
            let text =
                format!("the script on the board ended with status {} and said nothing", output.status);
            return Err(Error::new(Class::Board, text)
                .with("output", output.text.chars().take(500).collect::<String>()));
        }
        Ok(answers)
    }

    /// How long a command may take.
    pub(super) fn within(&self) -> Duration {
        seconds(self.session.flasher.config.timeouts.command)
    }
}

/// Path of something of this job on our HTTP server.
pub(super) fn path(session: Session<'_>, name: &str) -> String {
    format!("{}/{name}", session.run.token)
}

/// The script's first complaint as a failure; `device` is what was written or read.
pub(super) fn complaint(answers: &[Answer], device: &str) -> Option<Error> {
    answers.iter().find_map(|answer| match answer {
        Answer::Error(what, complaint) => Some(complaint_error(what, complaint, device)),
        _ => None,
    })
}

fn complaint_error(what: &ScriptError, complaint: &str, device: &str) -> Error {
    let error = match what {
        ScriptError::Write | ScriptError::Flush => {
            Error::new(Class::Medium, format!("writing `{device}` failed: {complaint}"))
                .help("the medium may be worn, write-protected or smaller than it says")
                .caused_by(RootCause::WriteError)
        }
        ScriptError::Fetch | ScriptError::Cut | ScriptError::Send | ScriptError::NoSender => {
            Error::infrastructure(format!("the board's download broke off: {complaint}"))
                .caused_by(if *what == ScriptError::NoSender {
                    RootCause::ToolMissing
                } else {
                    RootCause::TransferBroke
                })
                .help("check the network between board and exporter")
        }
        ScriptError::Unpack => {
            Error::infrastructure(format!("the board could not unpack what it fetched: {complaint}"))
                .help("flash without `--direct`: then the exporter unpacks")
        }
        ScriptError::NoUnpacker => {
            Error::config(format!("the board's Linux has nothing that unpacks {complaint}"))
                .caused_by(RootCause::ToolMissing)
                .help("put the tool into the bundle's initramfs, or flash without `--direct`")
        }
        ScriptError::Caches => Error::new(
            Class::Board,
            format!("`{device}` cannot be read back around the page cache: {complaint}"),
        )
        .help("the small Linux must run as root, or its dd must know iflag=direct")
        .retryable(false),
        _ => Error::new(Class::Board, format!("the script on the board gave up: {what} {complaint}")),
    };
    error.with("device", device)
}
