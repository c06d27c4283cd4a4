//! What the progress of writing is reported as.

use std::sync::Arc;

use flasher_core::flash::MediumState;
use flasher_core::{Event, Progress, Step};

use crate::access::WriteProgress;
use crate::job::{Count, OnMedium, Session};

/// All of an image is written for the first time: the step *write*.
pub(super) struct FirstWrite {
    progress: Arc<dyn Progress>,
    on_medium: OnMedium,
    /// Length of the image, if it is known.
    total: Option<u64>,
}

impl FirstWrite {
    pub(super) fn new(session: Session<'_>, total: Option<u64>) -> Arc<Self> {
        let (progress, on_medium) = (session.run.progress(), session.run.on_medium.clone());
        Arc::new(Self { progress, on_medium, total })
    }
}

impl WriteProgress for FirstWrite {
    fn begins(&self) {
        self.on_medium.leaves(MediumState::PartlyWritten { to: 0 });
    }

    fn reached(&self, to: u64) {
        let done = self.total.map_or(to, |total| to.min(total));
        self.on_medium.reached(done);
        self.progress.report(Event::Advanced { step: Step::Write, done, total: self.total });
    }
}

/// Some of an image is written again: a part of *verify*.
pub(super) struct Rewrite {
    /// Counts the bytes of *verify*.
    pub(super) count: Arc<Count>,
    /// Length of the image.
    pub(super) total: u64,
}

impl WriteProgress for Rewrite {
    /// What is on the medium was noted before.
    fn begins(&self) {}

    fn reached(&self, to: u64) {
        self.count.at(to.min(self.total));
    }
}
