//! The record of a console: what was received and sent, line by line, with secrets masked.

mod memory;
mod ours;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use console_record::{ConsoleEntry, FileEnd, FileSink, Recorder, Sink};

use crate::error::Error;
use crate::marker::Marker;
use memory::Memory;
use ours::Ours;

type LineListener = Arc<dyn Fn(&ConsoleEntry) + Send + Sync>;

/// The shared record of one console; clones are handles to the same record.
///
/// A [`Recorder`] makes an [`ConsoleEntry`] of each complete line, with the time of its first byte. The entries go to the memory, which keeps the
/// last 1 MiB, and to the file, if there is one.
#[derive(Clone)]
pub struct Transcript {
    shared: Arc<Shared>,
}

struct Shared {
    recorder: Recorder,
    memory: Arc<Memory>,
    file: Option<(PathBuf, Arc<FileSink>)>,
    /// Bytes received so far.
    heard: AtomicU64,
    /// When the last of them came, or the record began.
    heard_at: Mutex<Instant>,
    ours: Mutex<Ours>,
    listeners: Mutex<Vec<LineListener>>,
}

impl Transcript {
    /// A transcript that is kept in memory only.
    pub fn in_memory() -> Self {
        Self::new(None)
    }

    /// A transcript that is also written to the file `path` as it comes; an existing file is replaced.
    ///
    /// A line of the file is `TIME SIGN TEXT`, as [`ConsoleEntry`] says, with the sign `<` for received, `>` for sent and `#` for a note. A thread
    /// of its own writes, so that a slow disk does not hold up the console.
    ///
    /// # Errors
    /// [`Error::Transcript`] when the file cannot be created. Later write errors are reported by [`Self::flush`].
    pub fn to_file(path: &Path) -> Result<Self, Error> {
        let file = FileSink::open(path, FileEnd::Replace);
        let file = file.map_err(|source| Error::Transcript { path: path.to_owned(), source })?;
        Ok(Self::new(Some((path.to_owned(), Arc::new(file)))))
    }

    fn new(file: Option<(PathBuf, Arc<FileSink>)>) -> Self {
        let memory = Arc::new(Memory::default());
        let mut sinks: Vec<Arc<dyn Sink>> = vec![memory.clone()];
        sinks.extend(file.iter().map(|(_, file)| Arc::clone(file) as Arc<dyn Sink>));
        let shared = Shared {
            recorder: Recorder::new(sinks),
            memory,
            file,
            heard: AtomicU64::new(0),
            heard_at: Mutex::new(Instant::now()),
            ours: Mutex::default(),
            listeners: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Shows `secret` as `********` from now on, in the file, the memory, the callbacks and in errors.
    ///
    /// Its form inside shell quotes is masked too. An empty secret is ignored.
    pub fn mask(&self, secret: &str) {
        self.shared.recorder.mask(secret);
    }

    /// The last `lines` received lines that are not blank, oldest first, safe to show and cut to 200
    /// characters; an unfinished line (a prompt) counts. What our own dialogue left there (markers, probes, framing) is
    /// not shown, and equal lines in a row are shown once.
    pub fn tail(&self, lines: usize) -> Vec<String> {
        let unfinished = self.shared.recorder.unfinished();
        let ours = locked(&self.shared.ours);
        self.shared.memory.tail(&unfinished, lines, |line| ours.without(line))
    }

    /// A new marker of our dialogue, which [`Self::tail`] leaves out.
    pub(crate) fn marker(&self) -> Marker {
        locked(&self.shared.ours).marker()
    }

    /// The random words of our dialogue so far, the last 256 of them.
    pub fn words(&self) -> Vec<String> {
        locked(&self.shared.ours).words()
    }

    /// Records a mark of the caller, for example `power on`.
    pub fn note(&self, text: &str) {
        self.shared.recorder.note(text);
    }

    /// Calls `f` for each received line from now on, when it is complete, safe to show and masked, with the time of its first byte.
    ///
    /// It is called while bytes are being received and must not block. A carriage return ends a line too, so progress
    /// that rewrites its line is seen as it changes.
    pub fn on_line(&self, f: impl Fn(&ConsoleEntry) + Send + Sync + 'static) {
        locked(&self.shared.listeners).push(Arc::new(f));
    }

    /// How many bytes came from the board so far, whether or not they were lines.
    pub fn heard(&self) -> u64 {
        self.shared.heard.load(Ordering::Relaxed)
    }

    /// How long nothing has come from the board.
    pub fn quiet(&self) -> Duration {
        locked(&self.shared.heard_at).elapsed()
    }

    /// Everything kept in memory, in the format of the file.
    pub fn render(&self) -> String {
        self.shared.memory.render()
    }

    /// `text` with the secrets masked.
    pub fn masked(&self, text: &str) -> String {
        self.shared.recorder.masked(text)
    }

    /// The beginning of a line of the board as the record shows it, at most `most` characters.
    pub(crate) fn shown(&self, line: &[u8], most: usize) -> String {
        self.shared.recorder.shown(line).trim().chars().take(most).collect()
    }

    /// Records unfinished lines as they are and waits until everything is in the file. Gives the SHA-256 of all that was written
    /// to it, in hex; none without a file.
    ///
    /// # Errors
    /// [`Error::Transcript`] when the file could not be written, now or earlier.
    pub async fn flush(&self) -> Result<Option<String>, Error> {
        self.shared.recorder.finish();
        let Some((path, file)) = &self.shared.file else { return Ok(None) };
        let digest = file.flush().await.map_err(|source| Error::Transcript { path: path.clone(), source })?;
        Ok(Some(digest.to_string()))
    }

    /// Records bytes that came from the board.
    pub(crate) fn received(&self, bytes: &[u8]) {
        self.shared.heard.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        *locked(&self.shared.heard_at) = Instant::now();
        let complete: Vec<ConsoleEntry> = self.shared.recorder.received(bytes);
        if complete.is_empty() {
            return;
        }
        // A listener may ask the transcript: nothing is locked while it is called.
        let listeners = locked(&self.shared.listeners).clone();
        for entry in &complete {
            listeners.iter().for_each(|listener| listener(entry));
        }
    }

    /// Records bytes that go to the board.
    pub(crate) fn sent(&self, bytes: &[u8]) {
        self.shared.recorder.sent(bytes);
    }

    /// Where `text` may be cut at `at` or a little before without cutting a secret in two.
    ///
    /// A secret that cannot be avoided is cut, and its two pieces are masked as secrets of their own.
    pub(crate) fn cut(&self, text: &str, at: usize) -> usize {
        self.shared.recorder.cut(text, at)
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript").field("recorder", &self.shared.recorder).finish_non_exhaustive()
    }
}

/// A listener that panicked cannot have left anything half changed: it is called without a lock.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
