//! What was written when: a byte counts as read back only while nothing was written after it was read, anywhere on the medium.
//!
//! A medium that tells more than it has gives the same place two addresses, so a write to one of them changes what was
//! read at the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the commands of a job that write, to whatever medium. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writes(Arc<AtomicU64>);

impl Writes {
    /// Notes that the board is about to be told to write.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
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

/// What the medium holds, as far as the job knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Holds {
    /// What it held before the job.
    #[default]
    Old,
    /// A part of the image, without its first block.
    Part,
    /// The image, as far as the board says; it is not proven.
    Unproven,
}

impl Holds {
    /// In words, for a job that ended without a proof.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Old => "what it held before",
            Self::Part => "a part of the image",
            Self::Unproven => "the whole image, not proven",
        }
    }

    /// What to do after a job that was stopped.
    pub(crate) fn next_step(self) -> &'static str {
        match self {
            Self::Old => "nothing was written to the medium; flash again when you are ready",
            Self::Part => "the medium may be half written; flash again before booting from it",
            Self::Unproven => {
                "the medium holds the whole image, not proven; flash again before you rely on it"
            }
        }
    }
}
