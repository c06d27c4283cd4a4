//! A recorder that writes to the end of a file.

use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use crate::file::{FileEnd, FileSink};
use crate::recorder::Recorder;

/// A line without an end, such as a prompt, is written when nothing has come for so long.
const QUIET: Duration = Duration::from_secs(2);

/// The record of a line at the end of a file, for as long as the line is open.
#[derive(Debug)]
pub struct Log {
    recorder: Arc<Recorder>,
    file: Arc<FileSink>,
}

impl Log {
    /// Adds to the end of the file `path`, which only its owner may read when it is new. With `part_bytes`, a new file begins once this one
    /// has so many: `FILE` becomes `FILE.1`, and so on up to `FILE.4`. Blocks.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn open(path: &Path, part_bytes: Option<u64>) -> io::Result<Self> {
        let quiet: Arc<OnceLock<Weak<Recorder>>> = Arc::default();
        let whose = Arc::clone(&quiet);
        let on_idle = move || {
            if let Some(recorder) = whose.get().and_then(Weak::upgrade) {
                recorder.finish_quiet(QUIET);
            }
        };
        let file = Arc::new(FileSink::create(path, FileEnd::Append { part_bytes }, Some(Box::new(on_idle)))?);
        let recorder = Arc::new(Recorder::new(vec![file.clone()]));
        // It is empty: this is the only place that sets it.
        let _ = quiet.set(Arc::downgrade(&recorder));
        Ok(Self { recorder, file })
    }

    /// Records bytes that came from the board. Never waits.
    pub fn received(&self, bytes: &[u8]) {
        self.recorder.received(bytes);
    }

    /// Records the unfinished line, and waits until everything is in the file.
    ///
    /// # Errors
    /// When the file could not be written, now or earlier.
    pub async fn finish(&self) -> io::Result<()> {
        self.recorder.finish();
        self.file.flush().await.map(drop)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.recorder.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn prompts_and_lines_are_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        std::fs::write(&path, "older\n").unwrap();
        let log = Log::open(&path, None).unwrap();
        log.received(b"U-Boot 2023.01\r\n\x1b[2J=> ");
        // A quiet prompt is written without another byte.
        let text = loop {
            let text = std::fs::read_to_string(&path).unwrap();
            if text.ends_with("Z < => \n") {
                break text;
            }
            tokio::task::yield_now().await;
            std::thread::park_timeout(Duration::from_millis(20));
        };
        assert!(text.starts_with("older\n") && text.contains("Z < U-Boot 2023.01\n"), "{text}");
        log.received(b"reset");
        log.finish().await.unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("Z < reset\n"));
    }
}
