//! The record of a console: what was received and sent, line by line, with secrets masked.

mod file;
mod lines;
mod ours;
mod secrets;

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::Error;
use crate::marker::Marker;
use file::FileWriter;
use lines::LineAssembler;
use ours::Ours;
pub(crate) use secrets::Secrets;

/// What is kept in memory, in bytes of text.
const KEPT: usize = 1024 * 1024;
/// Longer lines are cut in [`Transcript::tail`], in characters.
const TAIL_WIDTH: usize = 200;

type LineListener = Arc<dyn Fn(&str) + Send + Sync>;

/// The shared record of one console; clones are handles to the same record.
///
/// Lines are recorded when they are complete, so that a secret is recognised however its bytes arrive. Each carries
/// the milliseconds from the start of the transcript to its first byte. In memory the last 1 MiB is kept.
#[derive(Clone)]
pub struct Transcript {
    shared: Arc<Shared>,
}

struct Shared {
    start: Instant,
    state: Mutex<State>,
    file: Option<FileWriter>,
}

#[derive(Default)]
struct State {
    received: LineAssembler,
    /// Bytes received so far.
    heard: u64,
    sent: LineAssembler,
    secrets: Secrets,
    ours: Ours,
    kept: VecDeque<TranscriptEntry>,
    kept_bytes: usize,
    listeners: Vec<LineListener>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Received,
    Sent,
    Note,
}

#[derive(Clone, Debug)]
struct TranscriptEntry {
    milliseconds: u64,
    direction: Direction,
    text: String,
}

impl fmt::Display for TranscriptEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.direction {
            Direction::Received => '<',
            Direction::Sent => '>',
            Direction::Note => '#',
        };
        writeln!(f, "{:>8} {sign} {}", self.milliseconds, self.text)
    }
}

impl Transcript {
    /// A transcript that is kept in memory only.
    pub fn in_memory() -> Self {
        Self::new(None)
    }

    /// A transcript that is also written to the file `path` as it comes; an existing file is replaced.
    ///
    /// A line of the file is `MILLISECONDS SIGN TEXT`, with the sign `<` for received, `>` for sent and `#` for a
    /// note. A thread of its own writes, so that a slow disk does not hold up the console.
    ///
    /// # Errors
    /// [`Error::Transcript`] when the file cannot be created. Later write errors are reported by [`Self::flush`].
    pub fn to_file(path: &Path) -> Result<Self, Error> {
        Ok(Self::new(Some(FileWriter::create(path)?)))
    }

    fn new(file: Option<FileWriter>) -> Self {
        let shared = Shared { start: Instant::now(), state: Mutex::default(), file };
        Self { shared: Arc::new(shared) }
    }

    /// Shows `secret` as `********` from now on, in the file, the memory, the callbacks and in errors.
    ///
    /// Its form inside shell quotes is masked too. An empty secret is ignored.
    pub fn mask(&self, secret: &str) {
        self.state().secrets.add(secret);
    }

    /// The last `lines` received lines that are not blank, oldest first, without control characters and cut to 200
    /// characters; an unfinished line (a prompt) counts. What our own dialogue left there (markers, probes, framing) is
    /// not shown, and equal lines in a row are shown once.
    pub fn tail(&self, lines: usize) -> Vec<String> {
        let state = self.state();
        let unfinished = state.received.unfinished(&state.secrets);
        let received = state.kept.iter().rev().filter(|entry| entry.direction == Direction::Received);
        let newest_first =
            std::iter::once(unfinished.as_str()).chain(received.map(|entry| entry.text.as_str()));
        let mut boards = newest_first.filter_map(|line| state.ours.without(line)).map(str::trim_end);
        let mut tail: Vec<&str> = Vec::new();
        while let Some(line) = boards.next().filter(|_| tail.len() < lines) {
            if tail.last() != Some(&line) {
                tail.push(line);
            }
        }
        tail.into_iter().rev().map(shortened).collect()
    }

    /// A new marker of our dialogue, which [`Self::tail`] leaves out.
    pub(crate) fn marker(&self) -> Marker {
        self.state().ours.marker()
    }

    /// Records a mark of the caller, for example `power on`.
    pub fn note(&self, text: &str) {
        let mut state = self.state();
        let text = lines::cleaned(text.as_bytes(), &state.secrets);
        self.record(&mut state, self.milliseconds(), Direction::Note, text);
    }

    /// Calls `f` for each received line from now on, when it is complete, without control characters and masked.
    ///
    /// It is called while bytes are being received and must not block. A carriage return ends a line too, so progress
    /// that rewrites its line is seen as it changes.
    pub fn on_line(&self, f: impl Fn(&str) + Send + Sync + 'static) {
        self.state().listeners.push(Arc::new(f));
    }

    /// How many bytes came from the board so far, whether or not they were lines.
    pub fn heard(&self) -> u64 {
        self.state().heard
    }

    /// Everything kept in memory, in the format of the file.
    pub fn render(&self) -> String {
        self.state().kept.iter().map(TranscriptEntry::to_string).collect()
    }

    /// `text` with the secrets masked.
    pub fn masked(&self, text: &str) -> String {
        self.state().secrets.mask(text)
    }

    /// Records unfinished lines as they are and waits until everything is in the file. Gives the SHA-256 of all that was written
    /// to it, in hex; none without a file.
    ///
    /// # Errors
    /// [`Error::Transcript`] when the file could not be written, now or earlier.
    pub async fn flush(&self) -> Result<Option<String>, Error> {
        self.finish_lines();
        match &self.shared.file {
            Some(file) => file.flush().await.map(Some),
            None => Ok(None),
        }
    }

    /// Records bytes that came from the board.
    pub(crate) fn received(&self, bytes: &[u8]) {
        let mut guard = self.state();
        let state = &mut *guard;
        state.heard = state.heard.saturating_add(bytes.len() as u64);
        let complete = state.received.feed(bytes, self.milliseconds(), &state.secrets);
        if complete.is_empty() {
            return;
        }
        let listeners = state.listeners.clone();
        for (milliseconds, line) in &complete {
            self.record(state, *milliseconds, Direction::Received, line.clone());
        }
        drop(guard);
        for (_, line) in &complete {
            listeners.iter().for_each(|listener| listener(line));
        }
    }

    /// Records bytes that go to the board.
    pub(crate) fn sent(&self, bytes: &[u8]) {
        let mut guard = self.state();
        let state = &mut *guard;
        for (milliseconds, line) in state.sent.feed(bytes, self.milliseconds(), &state.secrets) {
            self.record(state, milliseconds, Direction::Sent, line);
        }
    }

    /// Where `text` may be cut at `at` or a little before without cutting a secret in two.
    ///
    /// A secret that cannot be avoided is cut, and its two pieces are masked as secrets of their own.
    pub(crate) fn cut(&self, text: &str, at: usize) -> usize {
        self.state().secrets.cut_or_split(text, at)
    }

    fn finish_lines(&self) {
        let mut guard = self.state();
        let state = &mut *guard;
        if let Some((milliseconds, line)) = state.sent.finish(&state.secrets) {
            self.record(state, milliseconds, Direction::Sent, line);
        }
        if let Some((milliseconds, line)) = state.received.finish(&state.secrets) {
            self.record(state, milliseconds, Direction::Received, line);
        }
    }

    fn record(&self, state: &mut State, milliseconds: u64, direction: Direction, text: String) {
        let entry = TranscriptEntry { milliseconds, direction, text };
        if let Some(file) = &self.shared.file {
            file.write(entry.to_string());
        }
        state.kept_bytes += entry.text.len() + size_of::<TranscriptEntry>();
        state.kept.push_back(entry);
        while state.kept_bytes > KEPT {
            let Some(oldest) = state.kept.pop_front() else { return };
            state.kept_bytes -= oldest.text.len() + size_of::<TranscriptEntry>();
        }
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.shared.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A listener that panicked cannot have left the state half changed: it is called without the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript").field("lines", &self.state().kept.len()).finish_non_exhaustive()
    }
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(TAIL_WIDTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests;
