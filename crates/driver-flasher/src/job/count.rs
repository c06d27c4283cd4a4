//! How far a step that reads the medium has come: one count over all that it does, which never goes backwards.

use std::sync::{Arc, Mutex, PoisonError};

use flasher_core::{Event, Progress, Step};

/// Counts the bytes that a step reads, over all images, portions and ways of reading.
pub(crate) struct Count {
    step: Step,
    progress: Arc<dyn Progress>,
    state: Mutex<State>,
}

struct State {
    /// Bytes in all; none when that is not known any more.
    total: Option<u64>,
    /// Bytes of the portions that are over.
    settled: u64,
    /// Bytes that were reported last.
    told: u64,
}

impl Count {
    /// Nothing is done yet in `step`; `total` bytes are expected.
    pub(crate) fn new(progress: Arc<dyn Progress>, step: Step, total: u64) -> Arc<Self> {
        let state = Mutex::new(State { total: Some(total), settled: 0, told: 0 });
        Arc::new(Self { step, progress, state })
    }

    /// Tells that `done` bytes of the portion under way are done. A portion that has to be read anew is reported again only
    /// where it comes further than before.
    pub(crate) fn at(&self, done: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let done = state.settled + done;
        if done <= state.told {
            return;
        }
        state.told = done;
        let total = state.total.filter(|total| done <= *total);
        // Reported with the lock held, so that the events are in the order of the count.
        self.progress.report(Event::Advanced { step: self.step, done, total });
    }

    /// A portion of `length` bytes is over.
    pub(crate) fn settle(&self, length: u64) {
        self.at(length);
        self.state.lock().unwrap_or_else(PoisonError::into_inner).settled += length;
    }

    /// More follows than was expected: from now on no total is reported, as the share would fall.
    pub(crate) fn more_follows(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).total = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_count_over_all_portions() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&told);
        let progress = move |event| {
            let Event::Advanced { step: Step::Verify, done, total } = event else { panic!("{event:?}") };
            seen.lock().unwrap().push((done, total));
        };
        let count = Count::new(Arc::new(progress), Step::Verify, 10);
        count.at(3);
        count.at(2); // read anew
        count.settle(4);
        count.at(6);
        count.settle(6);
        count.more_follows();
        count.at(1);
        let expected = [(3, Some(10)), (4, Some(10)), (10, Some(10)), (11, None)];
        assert_eq!(*told.lock().unwrap(), expected);
    }
}
