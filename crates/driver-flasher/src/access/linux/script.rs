//! The script that runs on the board, and the words it answers with.

use std::fmt;

use disk_image::Digest;
use flasher_core::flash::{CacheBypass, ZerosBy};

/// The script. The board fetches it and checks its digest before it runs.
pub(super) const SCRIPT: &str = include_str!("guest.sh");

/// One answer of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// All frames are written and flushed.
    Written,
    /// So many bytes of the image are on the medium.
    At(u64),
    /// All listed ranges were read.
    Verified,
    /// All listed ranges were sent, and the server took them.
    Sent,
    /// How long a digest took, hundredths of a second.
    Pace(u64),
    /// How long fetching and decoding took, hundredths of a second, and how many blocks of 64 KiB came out.
    Trial(u64, u64),
    /// How zeros were made last.
    Zeros(ZerosBy),
    /// How the page cache was got out of the way.
    Caches(CacheBypass),
    /// Digest of a range read back.
    Range(usize, Digest),
    /// A range that could not be read, with the tool's complaint.
    Unreadable(usize, String),
    /// The script gave up: what failed, and the tool's complaint.
    Error(ScriptError, String),
}

/// What failed on the board, as the script's code for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ScriptError {
    /// The server did not give what was asked for.
    Fetch,
    /// The stream ended early.
    Cut,
    /// What was read could not be sent.
    Send,
    /// There is no tool that could send it.
    NoSender,
    /// What was fetched could not be unpacked.
    Unpack,
    /// There is no tool that could unpack it.
    NoUnpacker,
    /// The medium could not be written.
    Write,
    /// What was written could not be flushed.
    Flush,
    /// The medium could not be read.
    Read,
    /// The page cache cannot be got out of the way.
    Caches,
    /// The pace of a digest could not be measured.
    Pace,
    /// The script was asked for something that it does not know.
    Protocol,
    /// A code that is none of these: the console changed it.
    Unknown(String),
}

impl ScriptError {
    /// Every code of the script.
    const CODES: [(&'static str, Self); 12] = [
        ("fetch", Self::Fetch),
        ("cut", Self::Cut),
        ("send", Self::Send),
        ("no-sender", Self::NoSender),
        ("unpack", Self::Unpack),
        ("tool", Self::NoUnpacker),
        ("write", Self::Write),
        ("flush", Self::Flush),
        ("read", Self::Read),
        ("caches", Self::Caches),
        ("pace", Self::Pace),
        ("protocol", Self::Protocol),
    ];

    /// The error that the script calls `code`.
    fn of(code: &str) -> Self {
        let known = Self::CODES.into_iter().find(|(own, _)| *own == code);
        known.map_or_else(|| Self::Unknown(code.to_owned()), |(_, error)| error)
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(code) => f.write_str(code),
            known => {
                let code = Self::CODES.iter().find(|(_, error)| error == known);
                f.write_str(code.map_or("", |(code, _)| code))
            }
        }
    }
}

/// How the script made zeros, in its word for it.
fn zeros(word: &str) -> Option<ZerosBy> {
    Some(match word {
        "discard" => ZerosBy::Discard,
        "zeroout" => ZerosBy::Zeroout,
        "written" => ZerosBy::Written,
        _ => return None,
    })
}

/// How the script got the page cache out of the way, in its word for it.
fn caches(word: &str) -> Option<CacheBypass> {
    Some(match word {
        "dropped" => CacheBypass::Dropped,
        "direct" => CacheBypass::Direct,
        _ => return None,
    })
}

/// The answer in a console line; none when the line is something else or mangled.
pub(super) fn answer(line: &str) -> Option<Answer> {
    let words = line.split_once("flasher: ")?.1.trim();
    let (word, rest) = words.split_once(' ').unwrap_or((words, ""));
    Some(match word {
        "written" => Answer::Written,
        "at" => Answer::At(rest.trim().parse().ok()?),
        "verified" => Answer::Verified,
        "sent" => Answer::Sent,
        "pace" => Answer::Pace(rest.trim().parse().ok()?),
        "trial" => {
            let (hundredths, blocks) = rest.trim().split_once(' ')?;
            Answer::Trial(hundredths.parse().ok()?, blocks.parse().ok()?)
        }
        "zeros" => Answer::Zeros(zeros(rest.trim())?),
        "caches" => Answer::Caches(caches(rest.trim())?),
        "error" => {
            let (what, complaint) = rest.split_once(' ').unwrap_or((rest, ""));
            Answer::Error(ScriptError::of(what), complaint.trim().to_owned())
        }
        "range" => return range(rest),
        _ => return None,
    })
}

/// All answers in the output of the script. What decides is printed twice and counts once, so that a message of the kernel in one
/// of the lines does no harm.
pub(super) fn answers(output: &str) -> Vec<Answer> {
    let mut all: Vec<Answer> = output.lines().filter_map(answer).collect();
    let is_mangled = |answer: &Answer| matches!(answer, Answer::Error(ScriptError::Unknown(_), _));
    let is_error = |answer: &Answer| matches!(answer, Answer::Error(..));
    if all.iter().any(|answer| is_error(answer) && !is_mangled(answer)) {
        all.retain(|answer| !is_mangled(answer));
    }
    all.dedup();
    all
}

fn range(rest: &str) -> Option<Answer> {
    let (index, rest) = rest.split_once(' ')?;
    let index = index.parse().ok()?;
    match rest.strip_prefix("error") {
        Some(complaint) => Some(Answer::Unreadable(index, complaint.trim().to_owned())),
        None => Some(Answer::Range(index, rest.trim().parse().ok()?)),
    }
}

#[cfg(test)]
mod tests;
