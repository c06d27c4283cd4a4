//! What is reported of a job while it runs: events in one order, one after the other, and none behind the last.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use flasher_core::flash::{TrafficFacts, TrafficLog};
use flasher_core::{Event, Progress};

/// Where the events of a job go.
pub(super) struct Events(Arc<UntilFinished>);

impl Events {
    pub(super) fn new(further: Arc<dyn Progress>) -> Self {
        Self(Arc::new(UntilFinished { begun: Instant::now(), heard: Mutex::default(), further }))
    }

    pub(super) fn report(&self, event: Event) {
        self.0.report(event);
    }

    /// What moved so far, and when.
    pub(super) fn traffic(&self) -> TrafficFacts {
        self.0.heard.lock().unwrap_or_else(PoisonError::into_inner).traffic.facts()
    }

    /// The same for those who outlive a step.
    pub(super) fn progress(&self) -> Arc<dyn Progress> {
        Arc::clone(&self.0) as Arc<dyn Progress>
    }
}

/// Passes events on, one at a time, until the job is finished. A server may tell only afterwards of a transfer that was cut by
/// the end of the job.
struct UntilFinished {
    begun: Instant,
    heard: Mutex<Heard>,
    further: Arc<dyn Progress>,
}

/// What was reported so far.
#[derive(Default)]
struct Heard {
    is_finished: bool,
    traffic: TrafficLog,
}

impl Progress for UntilFinished {
    fn report(&self, event: Event) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if !heard.is_finished {
            heard.is_finished = matches!(event, Event::Finished { .. });
            heard.traffic.note(self.begun.elapsed(), &event);
            self.further.report(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use flasher_core::Receipt;
    use flasher_core::flash::{JobKind, Site};

    use super::*;

    #[test]
    fn nothing_is_told_behind_the_end() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heard);
        let events = Events::new(Arc::new(move |event| seen.lock().unwrap().push(event)));
        let note = || Event::Note { message: "cut".to_owned() };
        let receipt =
            Receipt::blank("flasher", JobKind::Flash, Site::default(), SystemTime::now(), Duration::ZERO);
        for event in [note(), Event::Finished { receipt: Box::new(receipt) }, note()] {
            events.report(event);
        }
        let heard = heard.lock().unwrap();
        assert!(matches!(heard.as_slice(), [Event::Note { .. }, Event::Finished { .. }]), "{heard:?}");
    }
}
