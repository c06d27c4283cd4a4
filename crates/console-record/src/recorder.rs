//! The recorder: bytes in, entries out to every sink.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::entry::{ConsoleEntry, Direction};
use crate::escapes::EscapeFilter;
use crate::lines::{LineAssembler, TimedLine, cleaned};
use crate::secrets::Secrets;

/// Takes every entry of a recorder.
pub trait Sink: Send + Sync {
    /// Takes the next entry. It is called in the order of the entries, while the recorder is locked: it must not block, and not call the
    /// recorder.
    fn take(&self, entry: &ConsoleEntry);
}

impl<F: Fn(&ConsoleEntry) + Send + Sync> Sink for F {
    fn take(&self, entry: &ConsoleEntry) {
        self(entry);
    }
}

/// Makes entries of what goes over a console.
///
/// A line is recorded when it is complete, so that a secret is recognised however its bytes arrive. A carriage return ends a line too, so
/// that progress which rewrites its line is recorded as it changes.
#[derive(Default)]
pub struct Recorder {
    sinks: Vec<Arc<dyn Sink>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    escapes: EscapeFilter,
    plain: Vec<u8>,
    received: LineAssembler,
    /// When the last byte was received.
    last: Option<SystemTime>,
    sent: LineAssembler,
    secrets: Secrets,
}

impl Recorder {
    /// A recorder whose entries go to `sinks`.
    pub fn new(sinks: Vec<Arc<dyn Sink>>) -> Self {
        Self { sinks, state: Mutex::default() }
    }

    /// Records bytes that came from the board just now; gives the lines they complete.
    pub fn received(&self, bytes: &[u8]) -> Vec<ConsoleEntry> {
        self.received_at(SystemTime::now(), bytes)
    }

    /// Records bytes that came from the board at `time`; gives the lines they complete.
    pub fn received_at(&self, time: SystemTime, bytes: &[u8]) -> Vec<ConsoleEntry> {
        let mut guard = self.state();
        let state = &mut *guard;
        state.last = Some(time);
        state.plain.clear();
        state.escapes.feed(bytes, &mut state.plain);
        let lines = state.received.feed(&state.plain, time, &state.secrets);
        self.record(Direction::Received, lines)
    }

    /// Records bytes that go to the board now.
    pub fn sent(&self, bytes: &[u8]) {
        let mut guard = self.state();
        let state = &mut *guard;
        let lines = state.sent.feed(bytes, SystemTime::now(), &state.secrets);
        self.record(Direction::Sent, lines);
    }

    /// Records a note, such as `power on`.
    pub fn note(&self, text: &str) {
        let state = self.state();
        let text = cleaned(text.as_bytes(), &state.secrets);
        self.record(Direction::Note, [(SystemTime::now(), text)]);
    }

    /// Records unfinished lines as they are.
    pub fn finish(&self) {
        let mut guard = self.state();
        let state = &mut *guard;
        let sent = state.sent.finish(&state.secrets);
        self.record(Direction::Sent, sent);
        let received = state.received.finish(&state.secrets);
        self.record(Direction::Received, received);
    }

    /// Records the unfinished line of the board, such as a prompt, when nothing has come for `quiet`.
    pub fn finish_quiet(&self, quiet: Duration) {
        let mut guard = self.state();
        let state = &mut *guard;
        let is_quiet = state.last.is_some_and(|last| last.elapsed().is_ok_and(|since| since >= quiet));
        if is_quiet {
            let received = state.received.finish(&state.secrets);
            self.record(Direction::Received, received);
        }
    }

    /// The board's unfinished line as it is now.
    pub fn unfinished(&self) -> String {
        let state = self.state();
        state.received.unfinished(&state.secrets)
    }

    /// A line of the board as an entry would show it: safe, and masked.
    pub fn shown(&self, line: &[u8]) -> String {
        cleaned(line, &self.state().secrets)
    }

    /// Shows `secret` as `********` from now on. Its form inside shell quotes is masked too. An empty secret is ignored.
    pub fn mask(&self, secret: &str) {
        self.state().secrets.add(secret);
    }

    /// `text` with the secrets masked.
    pub fn masked(&self, text: &str) -> String {
        self.state().secrets.mask(text)
    }

    /// Where `text` may be cut at `at` or a little before without cutting a secret in two.
    ///
    /// A secret that cannot be avoided is cut, and its two pieces are masked as secrets of their own.
    pub fn cut(&self, text: &str, at: usize) -> usize {
        self.state().secrets.cut_or_split(text, at)
    }

    /// Hands lines to the sinks. The state is locked by the caller, which keeps the order.
    fn record(&self, direction: Direction, lines: impl IntoIterator<Item = TimedLine>) -> Vec<ConsoleEntry> {
        let entry = |(time, text)| ConsoleEntry { time, direction, text };
        let entries: Vec<ConsoleEntry> = lines.into_iter().map(entry).collect();
        for entry in &entries {
            self.sinks.iter().for_each(|sink| sink.take(entry));
        }
        entries
    }

    /// Nothing is half changed when a sink panics: the lines are taken out before.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("sinks", &self.sinks.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// What a sink gets of `pieces`, of which each comes a second after the one before.
    fn taken(pieces: &[&[u8]]) -> Vec<String> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let sink = move |entry: &ConsoleEntry| kept.lock().unwrap().push(entry.to_string());
        let recorder = Recorder::new(vec![Arc::new(sink)]);
        for (seconds, piece) in (0..).zip(pieces) {
            recorder.received_at(UNIX_EPOCH + Duration::from_secs(seconds), piece);
        }
        recorder.finish();
        let seen = seen.lock().unwrap();
        seen.clone()
    }

    #[test]
    fn a_line_has_the_time_of_its_first_byte() {
        assert_eq!(
            taken(&[b"U-Boot ", b"2023.01\r\n\r\n=", b"> "]),
            [
                "1970-01-01T00:00:00.000Z < U-Boot 2023.01",
                "1970-01-01T00:00:01.000Z < ",
                "1970-01-01T00:00:01.000Z < => "
            ]
        );
    }

    #[test]
    fn nothing_that_steers_a_terminal_is_recorded() {
        for (raw, text) in [
            (&b"\x1b[2J\x1b]0;title\x07shell"[..], "shell"),
            (b"a\x08\x08b\x7f\x00\x07c\tz", "abc z"),
            ("\u{9b}2J\u{202e}evil\u{2066}\u{feff}".as_bytes(), "2Jevil"),
            (b"\xff\x9b", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(taken(&[raw]), [format!("1970-01-01T00:00:00.000Z < {text}")], "{raw:?}");
            let bytes: Vec<&[u8]> = raw.chunks(1).collect();
            assert!(taken(&bytes)[0].ends_with(&format!("Z < {text}")), "{raw:?} byte by byte");
        }
    }

    #[test]
    fn a_prompt_is_recorded_once_it_is_quiet() {
        let recorder = Recorder::default();
        recorder.received_at(UNIX_EPOCH, b"login: ");
        recorder.finish_quiet(Duration::MAX);
        assert_eq!(recorder.unfinished(), "login: ");
        recorder.finish_quiet(Duration::from_secs(1));
        assert_eq!(recorder.unfinished(), "");
    }
}
