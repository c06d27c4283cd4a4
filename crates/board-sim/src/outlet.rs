//! The outlet that a simulated board is plugged into: a file, turned by a switch that knows nothing of the board.

use std::path::PathBuf;
use std::time::Duration;

/// How soon the board notices.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// An outlet. It has power while its file says `on`; a file that is not there says `off`.
#[derive(Debug)]
pub(crate) struct OutletFile {
    file: PathBuf,
    is_on: bool,
}

impl OutletFile {
    /// An outlet that was off so far.
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file, is_on: false }
    }

    /// Waits until it is turned; gives whether it has power then.
    pub(crate) async fn turned(&mut self) -> bool {
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            let is_on = self.read().await;
            if is_on != self.is_on {
                self.is_on = is_on;
                return is_on;
            }
        }
    }

    async fn read(&self) -> bool {
        match tokio::fs::read_to_string(&self.file).await {
            Ok(text) if text.trim() == "on" => true,
            Ok(text) if text.trim() == "off" => false,
            Ok(_) => self.is_on, // just being written
            Err(_) => false,
        }
    }
}
