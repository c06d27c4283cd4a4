//! What the job hears of the board's console: the transcript, every line as an event, and whichever step listens.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use board_console::{ConsoleEntry, Transcript};
use flasher_core::flash::TranscriptFacts;
use flasher_core::{Error, Event, Progress, Result};

use super::views::Views;
use crate::trouble;

/// Console lines that a failure shows.
const SHOWN: usize = 10;

/// Takes each line the board prints while a step is interested.
type Listener = Box<dyn FnMut(&str) + Send>;

/// The console of a job, over all its attempts.
pub(crate) struct ConsoleTap {
    progress: Arc<dyn Progress>,
    /// Where the transcript is written, besides memory.
    file: Option<PathBuf>,
    transcript: Mutex<Option<Transcript>>,
    listener: Arc<Mutex<Option<Listener>>>,
    views: Arc<Views>,
}

impl ConsoleTap {
    /// Lines go to `progress` and `views`; a transcript is kept in `file`, if there is one.
    pub(super) fn new(progress: Arc<dyn Progress>, views: Arc<Views>, file: Option<PathBuf>) -> Self {
        Self { progress, views, file, transcript: Mutex::default(), listener: Arc::default() }
    }

    /// The transcript of the job: one for all attempts, made when it is first asked for.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub(crate) fn open(&self) -> Result<Transcript> {
        if let Some(transcript) = self.transcript() {
            return Ok(transcript);
        }
        let transcript = match &self.file {
            Some(path) => Transcript::to_file(path).map_err(|error| trouble::console(&error))?,
            None => Transcript::in_memory(),
        };
        transcript.on_line(self.hear());
        *locked(&self.transcript) = Some(transcript.clone());
        Ok(transcript)
    }

    /// The transcript, once the console was opened.
    pub(crate) fn transcript(&self) -> Option<Transcript> {
        locked(&self.transcript).clone()
    }

    /// Has every further console line handed to `take`, in place of the listener before, until what it gives is dropped.
    pub(crate) fn listen(&self, take: impl FnMut(&str) + Send + 'static) -> Listening {
        *locked(&self.listener) = Some(Box::new(take));
        Listening(Arc::clone(&self.listener))
    }

    /// Adds the last console lines to an error that has none.
    pub(super) fn with_lines(&self, error: Error) -> Error {
        match self.transcript() {
            Some(transcript) if error.console_lines().is_empty() => error.console(transcript.tail(SHOWN)),
            _ => error,
        }
    }

    /// The transcript's file, whole, and its digest; none where no file was asked for.
    ///
    /// # Errors
    /// When the file is not whole.
    pub(super) async fn facts(&self) -> Result<Option<TranscriptFacts>, String> {
        let (Some(transcript), Some(file)) = (self.transcript(), &self.file) else { return Ok(None) };
        let sha256 = transcript.flush().await.map_err(|error| error.to_string())?;
        Ok(sha256.map(|sha256| TranscriptFacts { file: file.display().to_string(), sha256 }))
    }

    /// What hands console lines to the progress and to the listener.
    fn hear(&self) -> impl Fn(&ConsoleEntry) + Send + Sync + 'static {
        let (progress, listener) = (Arc::clone(&self.progress), Arc::clone(&self.listener));
        let views = Arc::clone(&self.views);
        move |entry| {
            views.line(&entry.text);
            progress.report(Event::Console { line: entry.text.clone(), heard_at: Some(entry.time) });
            if let Some(listener) = locked(&listener).as_mut() {
                listener(&entry.text);
            }
        }
    }
}

/// The console has a listener for as long as this is kept.
#[must_use]
pub(crate) struct Listening(Arc<Mutex<Option<Listener>>>);

impl Drop for Listening {
    fn drop(&mut self) {
        *locked(&self.0) = None;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
