//! What was written when: a byte counts as read back only while nothing was written after it was read, anywhere on the medium.
//!
//! A medium that tells more than it has gives the same place two addresses, so a write to one of them changes what was
//! read at the other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flasher_core::flash::MediumState;

/// Counts the commands of a job that write, to whatever medium. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writes(Arc<AtomicU64>);

/// Leave to write to a medium, once: it was counted. Made by [`Writes::permit`] alone, so that nothing is written uncounted.
pub(crate) struct WritePermit(());

impl Writes {
    /// Notes that an order to write is about to be given.
    pub(crate) fn permit(&self) -> WritePermit {
        self.0.fetch_add(1, Ordering::SeqCst);
        WritePermit(())
    }

    /// How many there were so far.
    pub(crate) fn so_far(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// When each range of one image was read back: how many writes there had been.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadAt(BTreeMap<usize, u64>);

impl ReadAt {
    /// Notes that a range was read after so many writes.
    pub(super) fn note(&mut self, range: usize, writes: u64) {
        self.0.insert(range, writes);
    }

    /// Whether a range was read after all of so many writes.
    pub(super) fn is_after_all(&self, range: usize, writes: u64) -> bool {
        self.0.get(&range) == Some(&writes)
    }
}

/// What is on the medium of a job, over all its images and attempts. Clones tell of the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct OnMedium(Arc<Mutex<MediumState>>);

impl OnMedium {
    /// Notes what is on the medium from now on: before it may be so, never after.
    pub(crate) fn leaves(&self, next: MediumState) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.then(next);
    }

    /// Notes that the board has written the image up to `to`, while it is written for the first time.
    pub(crate) fn reached(&self, to: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let MediumState::PartlyWritten { to: before } = &mut *state {
            *before = to.max(*before);
        }
    }

    /// What is there now.
    pub(crate) fn now(&self) -> MediumState {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_the_board_has_written_counts_only_while_it_writes() {
        let medium = OnMedium::default();
        medium.reached(5);
        assert_eq!(medium.now(), MediumState::Untouched);
        medium.leaves(MediumState::PartlyWritten { to: 0 });
        [3, 9, 7].into_iter().for_each(|to| medium.clone().reached(to));
        assert_eq!(medium.now(), MediumState::PartlyWritten { to: 9 });
        medium.leaves(MediumState::NotProven);
        medium.reached(12);
        assert_eq!(medium.now(), MediumState::NotProven);
    }
}
