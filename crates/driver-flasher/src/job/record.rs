//! The record of a running job: where it is, how long each step took, what is known so far. The receipt is made of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use disk_image::Digest;
use flasher_core::flash::{
    AttemptFacts, BoardFacts, FurtherImage, ImageFacts, JobKind, KeptPartition, MediumFacts, PowerEvidence,
    PowerState, Site, rounded,
};
use flasher_core::identify::Identification;
use flasher_core::{Failure, FlashJob, Step, clock};

use super::writes::ReadAt;

/// What is recorded of a job.
pub(crate) struct JobRecord {
    state: Mutex<State>,
    pub(super) begun: Instant,
    /// The same by the clock of this machine. All times of the receipt are counted from here, so that a clock that is set
    /// meanwhile changes none of them.
    pub(super) started: SystemTime,
    pub(super) site: Site,
}

/// What is known so far.
pub(super) struct State {
    pub(super) job: JobKind,
    pub(super) step: Step,
    pub(super) attempts: u32,
    pub(super) steps: BTreeMap<Step, f64>,
    /// How each attempt went; the last one may be under way.
    pub(super) history: Vec<AttemptFacts>,
    /// When the last attempt began, since the start of the job.
    attempt_begun: Duration,
    /// The images of the job and where they go; there is always one.
    pub(super) images: Vec<FurtherImage>,
    /// The image that steps tell of.
    current: usize,
    /// When the ranges of each image were read back.
    pub(super) read_at: Vec<ReadAt>,
    /// The digest of each image, once it was decoded to its end, in whatever attempt.
    pub(super) decoded: Vec<Option<Digest>>,
    /// What the medium holds, of a job that looks for that.
    pub(super) found: Option<Identification>,
    /// Partitions that stay, as they were before the first write.
    kept: Vec<KeptPartition>,
    pub(super) board: BoardFacts,
    pub(super) power: PowerState,
    pub(super) power_evidence: PowerEvidence,
    pub(super) warnings: Vec<String>,
}

impl State {
    /// What is known of the image that steps tell of.
    fn now(&mut self) -> &mut FurtherImage {
        &mut self.images[self.current]
    }

    /// Notes what the last attempt has come to. Why it failed is noted once: what fails afterwards is a consequence.
    pub(super) fn settle_attempt(&mut self, since_start: Duration, failure: Option<&Failure>) {
        let steps = self.steps.iter().map(|(step, seconds)| (*step, to_milliseconds(*seconds))).collect();
        let Some(last) = self.history.last_mut() else { return };
        (last.power, last.power_evidence) = (self.power, self.power_evidence);
        if last.failure.is_none() {
            (last.seconds, last.steps) = (rounded(since_start.saturating_sub(self.attempt_begun)), steps);
            last.failure = failure.cloned();
        }
    }
}

impl JobRecord {
    pub(super) fn new(kind: JobKind, job: &FlashJob) -> Self {
        let state = State {
            job: kind,
            step: Step::Resolve,
            attempts: 0,
            steps: BTreeMap::new(),
            history: Vec::new(),
            attempt_begun: Duration::ZERO,
            images: vec![FurtherImage::default(); 1 + job.also.len()],
            current: 0,
            read_at: vec![ReadAt::default(); 1 + job.also.len()],
            decoded: vec![None; 1 + job.also.len()],
            found: None,
            kept: Vec::new(),
            board: BoardFacts::default(),
            power: PowerState::Untouched,
            power_evidence: PowerEvidence::default(),
            warnings: Vec::new(),
        };
        let (state, site) = (Mutex::new(state), job.site.clone());
        Self { state, begun: Instant::now(), started: SystemTime::now(), site }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what deserves a second look; false when it is noted already.
    pub(super) fn add_warning(&self, message: &str) -> bool {
        let mut state = self.state();
        let is_new = state.warnings.iter().all(|known| known != message);
        if is_new {
            state.warnings.push(message.to_owned());
        }
        is_new
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.state().warnings.clone()
    }

    pub(super) fn begin(&self, attempt: u32) {
        let since_start = self.begun.elapsed();
        let mut state = self.state();
        state.settle_attempt(since_start, None);
        state.attempts = attempt;
        state.attempt_begun = since_start;
        let (begun, power, power_evidence) = (
            clock::milliseconds(self.started.checked_add(since_start).unwrap_or(self.started)),
            state.power,
            state.power_evidence,
        );
        let (seconds, steps, failure) = (0.0, BTreeMap::new(), None);
        state.history.push(AttemptFacts { begun, seconds, steps, failure, power, power_evidence });
        state.steps.clear();
        state.current = 0;
        state.images.iter_mut().for_each(|image| image.medium = None);
        state.read_at.fill(ReadAt::default());
    }

    /// Why the last attempt failed that did, with its number.
    pub(crate) fn last_failure(&self) -> Option<(usize, String)> {
        let state = self.state();
        let failed = |(index, attempt): (usize, &AttemptFacts)| {
            Some((index + 1, attempt.failure.as_ref()?.cause.clone()))
        };
        state.history.iter().enumerate().rev().find_map(failed)
    }

    /// Notes why the attempt failed.
    pub(super) fn attempt_failed(&self, failure: &Failure) {
        self.state().settle_attempt(self.begun.elapsed(), Some(failure));
    }

    /// From now on steps tell of the `index`th image of the job, or of its last.
    pub(crate) fn select(&self, index: usize) {
        let mut state = self.state();
        state.current = index.min(state.images.len() - 1);
    }

    /// The index of the image that steps tell of.
    pub(crate) fn selected(&self) -> usize {
        self.state().current
    }

    /// Notes what the medium holds.
    pub(crate) fn found(&self, found: Identification) {
        self.state().found = Some(found);
    }

    /// Partitions that stay, as they were before the first write of the job; none before they were read.
    pub(crate) fn kept(&self) -> Vec<KeptPartition> {
        self.state().kept.clone()
    }

    /// Notes what is in the partitions that stay.
    pub(crate) fn set_kept(&self, kept: Vec<KeptPartition>) {
        self.state().kept = kept;
    }

    pub(crate) fn step_now(&self) -> Step {
        self.state().step
    }

    pub(crate) fn set_step(&self, step: Step) {
        self.state().step = step;
    }

    /// Adds to the time that a step took.
    pub(super) fn step_took(&self, step: Step, seconds: f64) {
        *self.state().steps.entry(step).or_default() += seconds;
    }

    pub(crate) fn image(&self, fill: impl FnOnce(&mut ImageFacts)) {
        fill(&mut self.state().now().image);
    }

    pub(crate) fn board(&self, fill: impl FnOnce(&mut BoardFacts)) {
        fill(&mut self.state().board);
    }

    pub(crate) fn set_medium(&self, medium: MediumFacts) {
        self.state().now().medium = Some(medium);
    }

    pub(crate) fn medium(&self, fill: impl FnOnce(&mut MediumFacts)) {
        if let Some(medium) = &mut self.state().now().medium {
            fill(medium);
        }
    }

    /// What is known of the medium of the image at hand.
    #[cfg(test)]
    pub(crate) fn medium_now(&self) -> Option<MediumFacts> {
        self.state().now().medium.clone()
    }

    /// Notes what ranges of the image at hand hold, as read when there had been so many writes.
    pub(crate) fn read_back<'d>(
        &self,
        writes: u64,
        digests: impl IntoIterator<Item = (&'d usize, &'d Digest)>,
    ) {
        let mut state = self.state();
        let current = state.current;
        for (index, digest) in digests {
            let Some(medium) = &mut state.now().medium else { return };
            if let Some(range) = medium.ranges.get_mut(*index) {
                range.read_back = Some(digest.to_string());
                state.read_at[current].note(*index, writes);
            }
        }
    }

    /// Whether these ranges of the `index`th image were read when there had been so many writes, and are equal to the image.
    pub(crate) fn is_read(&self, index: usize, ranges: &[usize], writes: u64) -> bool {
        let state = self.state();
        let (Some(image), Some(read_at)) = (state.images.get(index), state.read_at.get(index)) else {
            return false;
        };
        let Some(medium) = &image.medium else { return false };
        let is_equal = |range: &usize| {
            let facts = medium.ranges.get(*range);
            facts.is_some_and(|facts| facts.read_back.as_ref() == Some(&facts.sha256))
        };
        ranges.iter().all(|range| read_at.is_after_all(*range, writes) && is_equal(range))
    }

    /// The digest of the image at hand the first time this job decoded it to its end, which may be now.
    pub(crate) fn decoded_before(&self, now: Digest) -> Digest {
        let mut state = self.state();
        let current = state.current;
        *state.decoded[current].get_or_insert(now)
    }

    pub(crate) fn set_power(&self, power: PowerState) {
        let mut state = self.state();
        (state.power, state.power_evidence) = (power, PowerEvidence::NotConfirmed);
    }

    /// Notes how sure the state of the power is that was set last.
    pub(crate) fn confirm_power(&self, evidence: PowerEvidence) {
        self.state().power_evidence = evidence;
    }

    /// State of the board's power, and how sure it is.
    pub(super) fn power_now(&self) -> (PowerState, PowerEvidence) {
        let state = self.state();
        (state.power, state.power_evidence)
    }

    pub(crate) fn power(&self) -> PowerState {
        self.state().power
    }
}

/// Seconds to the millisecond, as receipts have them.
pub(super) fn to_milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
