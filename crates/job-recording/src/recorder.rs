//! Collects what a job sees while it runs.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::entry::{Moment, RecordedMoment};
use crate::hide;

/// Most bytes that are kept of a job; what comes later is left out.
const MOST: usize = 4 << 20;
/// Most answers of the image's servers that are kept: an image that comes in parts has thousands.
const MOST_ASKED: usize = 200;
/// What anything but bytes of the console counts for.
const OTHER: usize = 256;
/// Bytes of one direction that come within so many seconds are one entry.
const TOGETHER: f64 = 0.03;

/// Collects what a job sees. It listens between [`Recorder::begin`] and [`Recorder::end`] only.
#[derive(Default)]
pub struct Recorder(Mutex<Option<Collected>>);

struct Collected {
    begun: Instant,
    entries: Vec<RecordedMoment>,
    bytes: usize,
    asked: usize,
    secrets: Vec<String>,
}

impl Recorder {
    /// A job begins; what was collected before is forgotten.
    pub fn begin(&self) {
        let begun = Instant::now();
        *self.lock() =
            Some(Collected { begun, entries: Vec::new(), bytes: 0, asked: 0, secrets: Vec::new() });
    }

    /// Notes something that happens now.
    pub fn note(&self, what: Moment) {
        if let Some(collected) = self.lock().as_mut() {
            collected.note(what);
        }
    }

    /// Notes `what` makes, where anything is collected.
    pub fn note_with(&self, what: impl FnOnce() -> Moment) {
        if let Some(collected) = self.lock().as_mut() {
            collected.note(what());
        }
    }

    /// No entry shows this secret.
    pub fn hide(&self, secret: &str) {
        if let Some(collected) = self.lock().as_mut() {
            collected.secrets.push(secret.to_owned());
        }
    }

    /// The job is over: what was collected, and whether that is all of it. `words` are the job's random words: none is cut in two.
    pub fn end(&self, words: &[String]) -> (Vec<RecordedMoment>, bool) {
        let Some(collected) = self.lock().take() else { return (Vec::new(), true) };
        let mut entries = collected.entries;
        hide::keep_whole(&mut entries, words);
        hide::hide(&mut entries, &collected.secrets);
        (entries, collected.bytes <= MOST)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Collected>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collected {
    fn note(&mut self, what: Moment) {
        let at = (self.begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        self.asked += usize::from(matches!(what, Moment::Asked { .. }));
        if self.asked > MOST_ASKED && matches!(what, Moment::Asked { .. }) {
            return;
        }
        self.bytes += match &what {
            Moment::Heard(bytes) | Moment::Sent(bytes) => bytes.len(),
            _ => OTHER,
        };
        if self.bytes > MOST {
            return;
        }
        if let Some(last) = self.entries.last_mut().filter(|last| at - last.at < TOGETHER) {
            match (&mut last.what, &what) {
                (Moment::Heard(before), Moment::Heard(more)) | (Moment::Sent(before), Moment::Sent(more)) => {
                    before.extend_from_slice(more);
                    return;
                }
                _ => {}
            }
        }
        self.entries.push(RecordedMoment { at, what });
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happens_during_a_job_is_kept() {
        let recorder = Recorder::default();
        recorder.note(Moment::Heard(b"before".to_vec()));
        recorder.begin();
        recorder.hide("geheim");
        recorder.note(Moment::Heard(b"pass: ge".to_vec()));
        recorder.note(Moment::Sent(b"x".to_vec()));
        recorder.note(Moment::Heard(b"heim\n".to_vec()));
        let (entries, is_all) = recorder.end(&[]);
        recorder.note(Moment::Heard(b"after".to_vec()));
        let texts: Vec<String> = entries.iter().map(|entry| format!("{:?}", entry.what)).collect();
        let expected = [b"pass: ********".to_vec(), b"x".to_vec(), b"\n".to_vec()];
        let [first, second, third] = expected;
        let expected = [Moment::Heard(first), Moment::Sent(second), Moment::Heard(third)];
        assert_eq!(texts, expected.map(|what| format!("{what:?}")));
        assert!(is_all && recorder.end(&[]).0.is_empty());
    }

    #[test]
    fn an_endless_console_is_cut() {
        let recorder = Recorder::default();
        recorder.begin();
        (0..5).for_each(|_| recorder.note(Moment::Heard(vec![b'x'; 1 << 20])));
        let (entries, is_all) = recorder.end(&[]);
        let kept: usize = entries
            .iter()
            .map(|entry| if let Moment::Heard(bytes) = &entry.what { bytes.len() } else { 0 })
            .sum();
        assert_eq!((kept, is_all), (4 << 20, false));
    }
}
