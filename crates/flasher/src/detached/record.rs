//! Keeps a job's events for users who follow it later.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use flasher_core::{Event, Progress, Timed};

/// Bytes of events from which on only what matters most is kept.
const MANY: usize = 32 << 20;

/// Writes each event as a JSON line, and passes it on.
pub(crate) struct Record {
    state: Mutex<State>,
    further: Arc<dyn Progress>,
}

struct State {
    file: File,
    written: usize,
    broken: bool,
}

impl Record {
    /// Keeps events in `file`; `further` gets them all.
    pub(crate) fn new(file: File, further: Arc<dyn Progress>) -> Self {
        Self { state: Mutex::new(State { file, written: 0, broken: false }), further }
    }
}

impl Progress for Record {
    fn report(&self, event: Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // The time is taken with the file in hand, so that times are in the order of the lines.
        let event = Timed::now(event);
        state.keep(&event);
        self.further.replay(event);
    }
}

impl State {
    /// A job goes on when its events cannot be kept: its board must not be left half written.
    fn keep(&mut self, event: &Timed) {
        if self.broken || (self.written > MANY && is_frequent(&event.what)) {
            return;
        }
        let kept = serde_json::to_string(event).map_err(std::io::Error::from).and_then(|text| {
            self.written += text.len() + 1;
            self.file.write_all(format!("{text}\n").as_bytes())
        });
        if let Err(error) = kept {
            self.broken = true;
            tracing::warn!(%error, "the job's events cannot be kept any more");
        }
    }
}

fn is_frequent(event: &Event) -> bool {
    matches!(
        event,
        Event::Console { .. } | Event::Advanced { .. } | Event::Waiting { .. } | Event::Transfer(_)
    )
}

#[cfg(test)]
mod tests {
    use flasher_core::{Quiet, Step};

    use super::*;

    #[test]
    fn records_of_endless_jobs_are_bounded() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let record = Record::new(file.reopen().unwrap(), Arc::new(Quiet));
        let line = "x".repeat(1 << 20);
        (0..100).for_each(|_| record.report(Event::Console { line: line.clone(), heard_at: None }));
        record.report(Event::StepBegun { step: Step::Finish });
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.len() < MANY + (2 << 20), "{}", text.len());
        assert!(text.ends_with("\"event\":\"step-begun\",\"step\":\"finish\"}\n"));
    }
}
