//! The file of a recording: a line of JSON for its head, one for each entry, one for its end.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flasher_core::flash::{Failure, PowerState, Site, Via, ViaUsed};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bytes_text;
use crate::entry::RecordedMoment;

/// The version of the format that this build writes, and the newest that it reads.
pub const FORMAT: u32 = 2;
/// Longest file that is read, bytes.
const LONGEST: u64 = 64 << 20;

/// What a job saw of its board.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// What the job was.
    pub head: Head,
    /// What it saw and did, in order.
    pub entries: Vec<RecordedMoment>,
    /// How it ended.
    pub end: RecordedEnd,
}

/// What a recorded job was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The version of the format.
    pub recording: u32,
    /// The program that wrote it, and its version.
    pub tool: String,
    /// When the job began: RFC 3339 in UTC, to the millisecond.
    #[serde(with = "flasher_core::clock::serde_milliseconds")]
    pub time: SystemTime,
    /// Who ran it, and on which bench.
    pub site: Site,
    /// The image, without secrets.
    pub image: String,
    /// Length of the image once it is unpacked, bytes; none when the job did not come to know it.
    pub image_length: Option<u64>,
    /// What was wanted.
    pub options: JobOptions,
    /// The flasher's config.
    pub config: Value,
    /// The manifest of its bundle, without passwords; none where there is no bundle.
    pub manifest: Option<Value>,
    /// The boot files: their paths in the bundle, and their lengths in bytes.
    pub files: Vec<(String, u64)>,
    /// The way to the medium that was taken.
    pub way: ViaUsed,
    /// The variant in use.
    pub variant: Option<String>,
    /// The boot loader's prompt.
    pub prompt: String,
    /// What stops the boot loader's countdown; none when the board's manifest decides.
    pub stop_keys: Option<StopKeysSeen>,
    /// Whether the board lives on the exporter's machine.
    pub is_virtual: bool,
    /// Whether a person switches the power.
    pub is_by_hand: bool,
    /// The random words of the job, which another run has others for.
    pub words: Vec<String>,
    /// Whether everything is there; a console of over 4 MiB is cut.
    pub is_whole: bool,
}

/// What was wanted of a recorded job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobOptions {
    /// The target.
    pub target: Option<String>,
    /// The partition.
    pub partition: Option<String>,
    /// The way to the medium.
    pub via: Option<Via>,
    /// Commands run on the board beforehand.
    pub preflash: Vec<String>,
    /// How often a failed attempt is repeated.
    pub retries: u32,
    /// Bound on the job, seconds.
    pub deadline: Option<f64>,
    /// Whether the board is powered off after success.
    pub power_off: bool,
    /// What the console must show of the new system.
    pub expect_boot: Option<String>,
}

/// What stopped a boot loader's countdown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StopKeysSeen {
    /// The bytes that were sent, their password hidden.
    #[serde(with = "bytes_text")]
    pub bytes: Vec<u8>,
    /// Their name in messages.
    pub shown: String,
}

/// How a recorded job ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedEnd {
    /// Why it failed, without its console lines; none when it did not.
    pub failure: Option<Failure>,
    /// How the board was left.
    pub power: PowerState,
    /// How many attempts there were.
    pub attempts: u32,
}

/// Why a file is no recording that can be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read, or written.
    #[error("cannot use the recording `{}`", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// It is something else.
    #[error("`{}` is no recording of a job", .0.display())]
    NoRecording(PathBuf),
    /// A newer program wrote it.
    #[error("the recording `{}` has format {format}, and this build knows formats up to {FORMAT}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// A line cannot be read.
    #[error("line {line} of the recording `{}` cannot be read", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// It ends too soon.
    #[error("the recording `{}` is cut short: it does not say how the job ended", .0.display())]
    CutShort(PathBuf),
    /// It is longer than any recording.
    #[error("the recording `{}` is longer than {} MiB", .0.display(), LONGEST >> 20)]
    TooLong(PathBuf),
}

/// A line after the first.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Ended(Box<RecordedEnd>),
    #[serde(untagged)]
    Moment(RecordedMoment),
}

impl Recording {
    /// Reads a file. Blocks.
    ///
    /// # Errors
    /// When it cannot be read, or is none that can be used.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let unusable = |error| FileError::Io(path.to_owned(), error);
        let file = std::fs::File::open(path).map_err(unusable)?;
        if file.metadata().map_err(unusable)?.len() > LONGEST {
            return Err(FileError::TooLong(path.to_owned()));
        }
        let mut lines = BufReader::new(file.take(LONGEST)).lines().enumerate();
        let head = match lines.next() {
            Some((_, Ok(text))) => read_head(path, &text)?,
            Some((_, Err(error))) if error.kind() != io::ErrorKind::InvalidData => {
                return Err(unusable(error));
            }
            _ => return Err(FileError::NoRecording(path.to_owned())),
        };
        let mut entries = Vec::new();
        for (index, line) in lines {
            let line = line.map_err(unusable)?;
            match serde_json::from_str(&line) {
                Ok(Line::Moment(entry)) => entries.push(entry),
                Ok(Line::Ended(end)) => return Ok(Self { head, entries, end: *end }),
                // The last line of a file that is cut short.
                Err(error) if error.is_eof() => return Err(FileError::CutShort(path.to_owned())),
                Err(source) => {
                    return Err(FileError::Line { path: path.to_owned(), line: index + 1, source });
                }
            }
        }
        Err(FileError::CutShort(path.to_owned()))
    }

    /// Writes it. Secrets were left out before.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        let mut line = |value: Result<String, serde_json::Error>| writeln!(to, "{}", value?);
        line(serde_json::to_string(&self.head))?;
        self.entries.iter().try_for_each(|entry| line(serde_json::to_string(entry)))?;
        line(serde_json::to_string(&Line::Ended(Box::new(self.end.clone()))))?;
        to.flush()
    }
}

fn read_head(path: &Path, text: &str) -> Result<Head, FileError> {
    #[derive(Deserialize)]
    struct Version {
        recording: u32,
    }
    let Ok(Version { recording }) = serde_json::from_str(text) else {
        return Err(FileError::NoRecording(path.to_owned()));
    };
    if recording > FORMAT {
        return Err(FileError::Newer { path: path.to_owned(), format: recording });
    }
    serde_json::from_str(text).map_err(|source| FileError::Line { path: path.to_owned(), line: 1, source })
}
