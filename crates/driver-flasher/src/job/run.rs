//! The record of a running job: where it is, how long each step took, what is known so far.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use board_console::Transcript;
use disk_image::Digest;
use flasher_core::flash::{
    AttemptFacts, BoardFacts, FurtherImage, ImageFacts, JobKind, MediumFacts, PowerEvidence, PowerState,
    Site, rounded,
};
use flasher_core::{Error, Event, Failure, FlashJob, Progress, Result, Step, clock};

use super::ledger::{OnMedium, ReadAt, Writes};
use super::until_finished::UntilFinished;
use crate::evidence::Evidence;
use crate::piece::Piece;
use crate::staging::Staging;

/// Shared by all steps of a job.
pub(crate) struct Run {
    pub(super) progress: Arc<dyn Progress>,
    pub(super) state: Mutex<State>,
    pub(super) begun: Instant,
    /// The same by the clock of this machine. All times of the receipt are counted from here, so that a clock that is set
    /// meanwhile changes none of them.
    pub(super) started: SystemTime,
    pub(super) site: Site,
    /// Makes the paths of this job unguessable, and its files its own.
    pub(crate) token: String,
    pub(crate) evidence: Evidence,
    /// How often the board was told to write.
    pub(crate) writes: Writes,
    /// What is on the medium, as far as the job knows.
    pub(crate) on_medium: OnMedium,
    listener: Arc<Mutex<Listener>>,
    opened: Mutex<Option<Vec<Piece>>>,
}

/// Takes each line the board prints while a step is interested.
type Listener = Box<dyn FnMut(&str) + Send>;

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
    pub(super) board: BoardFacts,
    pub(super) power: PowerState,
    pub(super) power_evidence: PowerEvidence,
    pub(super) warnings: Vec<String>,
    pub(super) transcript: Option<Transcript>,
    pub(super) transcript_file: Option<std::path::PathBuf>,
    pub(super) staging: Staging,
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

impl Run {
    pub(crate) fn new(kind: JobKind, job: &FlashJob, progress: Arc<dyn Progress>) -> Self {
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
            board: BoardFacts::default(),
            power: PowerState::Untouched,
            power_evidence: PowerEvidence::default(),
            warnings: Vec::new(),
            transcript: None,
            transcript_file: job.transcript.clone(),
            staging: Staging::default(),
        };
        Self {
            progress: Arc::new(UntilFinished::new(progress)),
            state: Mutex::new(state),
            begun: Instant::now(),
            started: SystemTime::now(),
            site: job.site.clone(),
            token: token(),
            evidence: Evidence::default(),
            writes: Writes::default(),
            on_medium: OnMedium::default(),
            listener: Arc::new(Mutex::new(Box::new(|_| {}))),
            opened: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn report(&self, event: Event) {
        self.progress.report(event);
    }

    pub(crate) fn progress(&self) -> Arc<dyn Progress> {
        Arc::clone(&self.progress)
    }

    pub(crate) fn note(&self, message: impl Into<String>) {
        self.report(Event::Note { message: message.into() });
    }

    pub(crate) fn warn(&self, message: impl Into<String>) {
        let message = message.into();
        let mut state = self.state();
        if !state.warnings.contains(&message) {
            state.warnings.push(message.clone());
            drop(state);
            self.report(Event::Warning { message });
        }
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.state().warnings.clone()
    }

    pub(crate) fn begin(&self, attempt: u32) {
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
        state.staging = Staging::default();
    }

    /// Notes why the attempt failed. What power it left shows when the board is in a known state again.
    pub(crate) fn attempt_failed(&self, error: &Error) {
        let mut state = self.state();
        let failure = Failure::new(state.step, error).leaves(self.on_medium.now());
        state.settle_attempt(self.begun.elapsed(), Some(&failure));
    }

    /// Leaves images open for the next attempt: a board that does not boot is no reason to fetch them again.
    pub(crate) fn leave_open(&self, pieces: Vec<Piece>) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(pieces);
    }

    /// The images that an attempt left open.
    pub(crate) fn left_open(&self) -> Option<Vec<Piece>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// From now on steps tell of the `index`th image of the job, or of its last.
    pub(crate) fn select(&self, index: usize) {
        let mut state = self.state();
        state.current = index.min(state.images.len() - 1);
    }

    pub(crate) fn step_now(&self) -> Step {
        self.state().step
    }

    /// Runs one step, timed and reported. Whoever waits for this job gets a look before it begins: a job that was stopped
    /// must not go on to the next step because nothing in this one had to wait.
    pub(crate) async fn step<T>(&self, step: Step, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::task::yield_now().await;
        self.state().step = step;
        self.report(Event::StepBegun { step });
        let begun = Instant::now();
        let outcome = work.await;
        let seconds = begun.elapsed().as_secs_f64();
        *self.state().steps.entry(step).or_default() += seconds;
        if outcome.is_ok() {
            self.report(Event::StepDone { step, seconds });
        }
        outcome.map_err(|error| self.with_console(error))
    }

    fn with_console(&self, error: flasher_core::Error) -> flasher_core::Error {
        let transcript = self.state().transcript.clone();
        match transcript {
            Some(transcript) if error.console_lines().is_empty() => error.console(transcript.tail(10)),
            _ => error,
        }
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

    pub(crate) fn power(&self) -> PowerState {
        self.state().power
    }

    pub(crate) fn set_transcript(&self, transcript: Transcript) {
        self.state().transcript = Some(transcript);
    }

    pub(crate) fn transcript(&self) -> Option<Transcript> {
        self.state().transcript.clone()
    }

    /// Has every further console line handed to `take`, in place of whoever listened before.
    pub(crate) fn listen(&self, take: impl FnMut(&str) + Send + 'static) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(take);
    }

    /// What hands console lines to the progress and to the listener.
    pub(crate) fn hear(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let (progress, listener) = (self.progress(), Arc::clone(&self.listener));
        move |line| {
            progress.report(Event::Console { line: line.to_owned() });
            listener.lock().unwrap_or_else(PoisonError::into_inner)(line);
        }
    }

    pub(crate) fn set_step(&self, step: Step) {
        self.state().step = step;
    }

    /// The boot files of this attempt.
    pub(crate) fn staging(&self) -> Staging {
        self.state().staging.clone()
    }
}

/// Seconds to the millisecond, as receipts have them.
pub(super) fn to_milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// 128 random bits in hex. A machine without a random source gets the clock, which still tells jobs apart.
fn token() -> String {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        bytes = now.to_le_bytes();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
