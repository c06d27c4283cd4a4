//! What is reported besides the results: on standard error as much as was asked for, and in the file of `--log`, with clock times.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use flasher_core::userinfo::hide_passwords;
use flasher_core::{Error, Result, clock, safe};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::stderr::aside;

/// What the names of crates begin with whose messages are shown at the level asked for; those of others stay at warnings, so that no request header is logged.
const OURS: [&str; 16] = [
    "flasher",
    "driver",
    "board",
    "own_board",
    "disk_image",
    "bundle_store",
    "exporter",
    "server_kit",
    "job_recording",
    "failure_diagnosis",
    "lab_command",
    "ledger",
    "line_share",
    "report",
    "console_record",
    "strict_yaml",
];
/// Length of a time at the beginning of a line.
const TIME: usize = "2026-11-28T20:24:41.123Z".len();

/// The file of `--log`; none in it when none was asked for, or when it could not be written any more.
static FILE: OnceLock<Mutex<Option<File>>> = OnceLock::new();

/// How much is reported on standard error besides results and errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Chatter {
    /// Nothing: `--quiet`.
    Quiet,
    /// Steps, notes and warnings.
    #[default]
    Normal,
    /// A line for each, what the board prints, and what this program does: `-v`.
    Verbose,
    /// The same with every per cent, every transfer's beginning, and this program's log in detail: `-vv`.
    Debug,
}

impl Chatter {
    /// What `--quiet` and so many `-v` ask for.
    pub(crate) fn of(quiet: bool, verbose: u8) -> Self {
        match (quiet, verbose) {
            (true, _) => Self::Quiet,
            (false, 0) => Self::Normal,
            (false, 1) => Self::Verbose,
            (false, _) => Self::Debug,
        }
    }

    fn level(self) -> &'static str {
        match self {
            Self::Quiet => "error",
            Self::Normal => "warn",
            Self::Verbose => "info",
            Self::Debug => "debug",
        }
    }
}

/// Begins to log: on standard error, and at the end of the file `kept`, if one is named; `command` is what begins.
///
/// # Errors
/// When the file cannot be written, or holds something that is no log.
pub(crate) fn begin(chatter: Chatter, kept: Option<&Path>, command: &str) -> Result<()> {
    let file = kept.map(open).transpose()?;
    let detail = file.is_some().then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(|| Kept)
            .with_ansi(false)
            .without_time()
            .log_internal_errors(false)
            .with_filter(filter(Chatter::Debug.level()))
    });
    let is_logged = FILE.set(Mutex::new(file)).is_ok();
    let shown = tracing_subscriber::fmt::layer()
        .with_writer(|| Shown)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .without_time()
        .log_internal_errors(false) // it would panic when standard error is closed
        .with_filter(filter(chatter.level()));
    let begun = tracing_subscriber::registry().with(shown).with(detail).try_init();
    if !is_logged || begun.is_err() {
        return Err(Error::new(flasher_core::Class::Internal, "the log was begun twice"));
    }
    keep(&format!("flasher {} begins `flasher {command}`", env!("CARGO_PKG_VERSION")));
    Ok(())
}

/// Adds lines to the file of `--log`, each behind the time now.
pub(crate) fn keep(text: &str) {
    keep_at(SystemTime::now(), text);
}

/// The same behind the time `at`.
pub(crate) fn keep_at(at: SystemTime, text: &str) {
    let Some(mut file) = FILE.get().map(|file| file.lock().unwrap_or_else(PoisonError::into_inner)) else {
        return;
    };
    let Some(open) = file.as_mut() else { return };
    let time = clock::milliseconds(at);
    let lines = hide_passwords(text);
    let lines: String = lines.lines().map(|line| format!("{time} {}\n", safe::line(line))).collect();
    if let Err(error) = open.write_all(lines.as_bytes()) {
        // The job goes on: its board must not be left half written.
        *file = None;
        drop(file);
        aside(&format!("warning: the log is not kept any more: {error}\n"));
    }
}

/// Whether lines are kept.
pub(crate) fn is_kept() -> bool {
    FILE.get().is_some_and(|file| file.lock().unwrap_or_else(PoisonError::into_inner).is_some())
}

fn filter(level: &str) -> EnvFilter {
    let ours = OURS.iter().map(|target| format!(",{target}={level}")).collect::<String>();
    let others = if level == "error" { level } else { "warn" };
    EnvFilter::new(format!("{others}{ours}"))
}

/// Opens a log for further lines. It must be new, empty, or begin as a log does: an image is easily named by mistake.
fn open(path: &Path) -> Result<File> {
    let failed = |error: io::Error| {
        Error::config(format!("the log `{}` cannot be written", path.display()))
            .because(error)
            .help("name a file in a folder you may write with `--log FILE`")
    };
    let refused = |what: &str| {
        Error::config(format!("`{}` is {what}, expected a log or a new file", path.display()))
            .help("name another file with `--log FILE`; nothing was touched")
    };
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => return Err(refused("no regular file")),
        Ok(about) if about.len() > 0 && !begins_as_log(path).map_err(failed)? => {
            return Err(refused("no log of `flasher`"));
        }
        _ => {}
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(failed)
}

fn begins_as_log(path: &Path) -> io::Result<bool> {
    let mut begin = Vec::new();
    File::open(path)?.take(TIME as u64).read_to_end(&mut begin)?;
    Ok(std::str::from_utf8(&begin).is_ok_and(|text| clock::parse(text).is_some()))
}

/// Standard error, for messages of this program.
struct Shown;

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = hide_passwords(&String::from_utf8_lossy(bytes));
        io::stderr().lock().write_all(text.as_bytes()).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The file of `--log`, for messages of this program: each comes as a whole.
struct Kept;

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        keep(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_continued_and_nothing_else_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it");
        for (held, is_taken) in [
            (None, true),
            (Some(""), true),
            (Some("2026-11-28T20:24:41.123Z a line\n"), true),
            (Some("an image"), false),
            (Some("2026-11-28 20:24:41 another log\n"), false),
        ] {
            let _ = fs::remove_file(&path); // of the row before
            if let Some(text) = held {
                fs::write(&path, text).unwrap();
            }
            let opened = open(&path);
            assert_eq!(opened.is_ok(), is_taken, "{held:?}");
            let told = "is no log of `flasher`, expected a log or a new file";
            assert!(opened.map_or_else(|error| error.to_string().ends_with(told), |_| true), "{held:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), held.unwrap_or_default(), "as it was");
        }
        let told = open(folder.path()).unwrap_err().to_string();
        assert!(told.ends_with("is no regular file, expected a log or a new file"), "{told}");
    }

    #[test]
    fn every_crate_of_this_repository_is_one_of_ours() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let names =
            fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        for name in names.map(|name| name.replace('-', "_")) {
            assert!(OURS.iter().any(|ours| name.starts_with(ours)), "`{name}` would not be logged");
        }
    }

    #[test]
    fn what_is_asked_for_decides_how_much_is_told() {
        let levels = [(true, 0), (false, 0), (false, 1), (false, 2), (false, 9)];
        let levels = levels.map(|(quiet, verbose)| Chatter::of(quiet, verbose).level());
        assert_eq!(levels, ["error", "warn", "info", "debug", "debug"]);
    }
}
