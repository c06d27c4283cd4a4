//! Where a console's text goes: the screen as it is, and a log as a record that is safe to show.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use console_record::Log;
use flasher_core::Error;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::failure::Failure;

/// Opens the log that `--log` names, at its end. Blocks.
///
/// # Errors
/// When it cannot be written.
pub(super) fn open_log(path: &Path) -> Result<Log, Error> {
    Log::open(path, None).map_err(|error| unwritable(path, error))
}

/// Waits until everything is in the log of `--log`, if there is one.
///
/// # Errors
/// When it could not be written, now or earlier.
pub(super) async fn finish(log: Option<&Log>, path: Option<&Path>) -> Result<(), Failure> {
    let (Some(log), Some(path)) = (log, path) else { return Ok(()) };
    log.finish().await.map_err(|error| unwritable(path, error).into())
}

/// The error for a log that cannot be written.
fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::config(format!("the log `{}` cannot be written", path.display()))
        .because(error)
        .help("give `--log` a file in a folder you may write")
}

/// A screen, and perhaps a log.
pub(super) struct Output<W> {
    screen: W,
    log: Option<Arc<Log>>,
    timestamps: bool,
    /// The next byte begins a line.
    fresh: bool,
}

impl<W: AsyncWrite + Unpin> Output<W> {
    /// Prints to `screen`, and records in `log`. The screen gets each byte as it is, with `timestamps` the time of each line before it.
    pub(super) fn new(screen: W, log: Option<Arc<Log>>, timestamps: bool) -> Self {
        Self { screen, log, timestamps, fresh: true }
    }

    /// Prints what the board said.
    ///
    /// # Errors
    /// When the screen gives way.
    pub(super) async fn print(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if let Some(log) = &self.log {
            log.received(bytes);
        }
        let stamped = self.timestamps.then(|| self.stamped(bytes));
        self.screen.write_all(stamped.as_deref().unwrap_or(bytes)).await?;
        self.screen.flush().await?;
        Ok(())
    }

    fn stamped(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(bytes.len() + 64);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.fresh {
                let now = flasher_core::clock::milliseconds(SystemTime::now());
                text.extend_from_slice(format!("{now} ").as_bytes());
            }
            text.extend_from_slice(line);
            self.fresh = line.ends_with(b"\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_screen_gets_bytes_and_the_log_safe_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let log = Arc::new(open_log(&path).unwrap());
        let mut screen = std::io::Cursor::new(Vec::new());
        let mut output = Output::new(&mut screen, Some(Arc::clone(&log)), true);
        for piece in [&b"U-Boot"[..], b" 2023.01\r\n\x1b[1m=> ", b"\r\n"] {
            output.print(piece).await.unwrap();
        }
        drop(output);
        log.finish().await.unwrap();
        let without_times = |text: &str, sign: &str| -> Vec<String> {
            text.lines().map(|line| line.split_once(sign).unwrap().1.to_owned()).collect()
        };
        let text = String::from_utf8(screen.into_inner()).unwrap();
        assert_eq!(without_times(&text, "Z "), ["U-Boot 2023.01", "\x1b[1m=> "]);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(without_times(&text, "Z < "), ["U-Boot 2023.01", "=> "]);
    }

    #[test]
    fn unwritable_logs_are_refused_first() {
        let error = open_log(Path::new("/no/such/x")).unwrap_err();
        assert_eq!(error.to_string(), "the log `/no/such/x` cannot be written");
        assert_eq!(error.class().exit_code(), 2);
    }
}
