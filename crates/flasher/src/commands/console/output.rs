//! Where a console's text goes: the screen, and a log; with the time of each line when asked for.

use std::path::Path;
use std::time::SystemTime;

use flasher_core::Error;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::failure::Failure;

/// A screen, and perhaps a log.
pub(super) struct Output<W> {
    screen: W,
    log: Option<File>,
    timestamps: bool,
    /// The next byte begins a line.
    fresh: bool,
}

impl<W: AsyncWrite + Unpin> Output<W> {
    /// Prints to `screen`, and to the end of the file `log`, which only its owner may read when it is new.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub(super) async fn new(screen: W, log: Option<&Path>, timestamps: bool) -> Result<Self, Error> {
        let log = match log {
            None => None,
            Some(path) => {
                let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(path).await;
                Some(opened.map_err(|error| {
                    Error::config(format!("the log `{}` cannot be written", path.display()))
                        .because(error)
                        .help("give `--log` a file in a folder you may write")
                })?)
            }
        };
        Ok(Self { screen, log, timestamps, fresh: true })
    }

    /// Prints what the board said.
    ///
    /// # Errors
    /// When the screen or the log gives way.
    pub(super) async fn print(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let stamped = self.timestamps.then(|| self.stamped(bytes));
        let bytes = stamped.as_deref().unwrap_or(bytes);
        self.screen.write_all(bytes).await?;
        self.screen.flush().await?;
        if let Some(log) = &mut self.log {
            log.write_all(bytes).await?;
            log.flush().await?;
        }
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
    async fn log_and_screen_are_equal() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("console.log");
        let mut screen = std::io::Cursor::new(Vec::new());
        let mut output = Output::new(&mut screen, Some(&log), true).await.unwrap();
        for piece in [&b"U-Boot"[..], b" 2023.01\r\n=> ", b"\r\n"] {
            output.print(piece).await.unwrap();
        }
        drop(output);
        let text = String::from_utf8(screen.into_inner()).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| line.split_once("Z ").unwrap().1).collect();
        assert_eq!(lines, ["U-Boot 2023.01", "=> "]);
        assert_eq!(std::fs::read_to_string(&log).unwrap(), text);
    }

    #[tokio::test]
    async fn unwritable_logs_are_refused_first() {
        let error = Output::new(tokio::io::sink(), Some(Path::new("/no/such/x")), false).await.err().unwrap();
        assert_eq!(error.to_string(), "the log `/no/such/x` cannot be written");
        assert_eq!(error.class().exit_code(), 2);
    }
}
