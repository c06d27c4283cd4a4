//! One running job: its record, its events and its console, and what its steps share besides.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use board_console::UBoot;
use flasher_core::flash::{JobKind, TrafficFacts};
use flasher_core::{Error, Event, Failure, FlashJob, Progress, Result, Step};

use super::console::ConsoleTap;
use super::events::Events;
use super::record::JobRecord;
use super::seen::SeenMedium;
use super::views::Views;
use super::writes::{OnMedium, Writes};
use crate::evidence::Evidence;
use crate::load_ways::LoadWays;
use crate::opened::OpenedImage;
use crate::shared_servers::JobServers;
use crate::staging::Staging;

/// Shared by all steps of a job.
pub(crate) struct Run {
    events: Events,
    /// What is known so far, up to the receipt.
    pub(crate) record: JobRecord,
    /// What is heard of the board's console.
    pub(crate) console: ConsoleTap,
    /// What was seen of the board in the attempt at hand.
    pub(crate) views: Arc<Views>,
    /// Makes the paths of this job unguessable, and its files its own.
    pub(crate) token: String,
    pub(crate) evidence: Evidence,
    /// How files come into the board's memory.
    pub(crate) load_ways: LoadWays,
    /// How often an order to write was given.
    pub(crate) writes: Writes,
    /// What is on the medium, as far as the job knows.
    pub(crate) on_medium: OnMedium,
    /// The file servers that run for the job.
    pub(crate) servers: JobServers,
    staging: Mutex<Staging>,
    /// Whether the medium was given to this machine, and not given back.
    has_medium: AtomicBool,
    /// The boot loader that gives the medium to this machine, while it does.
    pub(crate) sharing: tokio::sync::Mutex<Option<UBoot>>,
    /// The medium that was opened first as a disk of this machine.
    first_medium: Mutex<Option<SeenMedium>>,
    left_open: Mutex<Option<Vec<OpenedImage>>>,
}

impl Run {
    pub(crate) fn new(kind: JobKind, job: &FlashJob, progress: Arc<dyn Progress>) -> Self {
        let events = Events::new(progress);
        let views = Arc::new(Views::default());
        Self {
            record: JobRecord::new(kind, job),
            console: ConsoleTap::new(events.progress(), Arc::clone(&views), job.transcript.clone()),
            views,
            token: token(),
            evidence: Evidence::default(),
            load_ways: LoadWays::default(),
            writes: Writes::default(),
            on_medium: OnMedium::default(),
            servers: JobServers::default(),
            staging: Mutex::default(),
            has_medium: AtomicBool::new(false),
            sharing: tokio::sync::Mutex::default(),
            first_medium: Mutex::default(),
            left_open: Mutex::default(),
            events,
        }
    }

    pub(crate) fn report(&self, event: Event) {
        self.events.report(event);
    }

    /// What the job moved so far, and when.
    pub(super) fn traffic(&self) -> TrafficFacts {
        self.events.traffic()
    }

    pub(crate) fn progress(&self) -> Arc<dyn Progress> {
        self.events.progress()
    }

    pub(crate) fn note(&self, message: impl Into<String>) {
        self.report(Event::Note { message: message.into() });
    }

    /// Warns once, and notes it on the receipt.
    pub(crate) fn warn(&self, message: impl Into<String>) {
        let message = message.into();
        if self.record.add_warning(&message) {
            self.report(Event::Warning { message });
        }
    }

    /// An attempt begins, with nothing staged yet.
    pub(crate) fn begin(&self, attempt: u32) {
        self.record.begin(attempt);
        self.views.begin();
        self.evidence.forget();
        *self.staging.lock().unwrap_or_else(PoisonError::into_inner) = Staging::default();
    }

    /// Runs one step, timed and reported. The caller of this job gets a look before it begins: a job that was stopped
    /// must not go on to the next step because nothing in this one had to wait.
    pub(crate) async fn step<T>(&self, step: Step, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::task::yield_now().await;
        self.record.set_step(step);
        self.report(Event::StepBegun { step });
        let begun = Instant::now();
        let outcome = work.await;
        let seconds = begun.elapsed().as_secs_f64();
        self.record.step_took(step, seconds);
        if outcome.is_ok() {
            self.report(Event::StepDone { step, seconds });
        }
        outcome.map_err(|error| self.console.with_lines(self.diagnosed(error)))
    }

    /// Notes why the attempt failed. What power it left shows when the board is in a known state again.
    pub(crate) fn attempt_failed(&self, error: &Error) {
        let failure = Failure::new(self.record.step_now(), error).leaves(self.on_medium.now());
        self.record.attempt_failed(&failure);
    }

    /// Leaves images open for the next attempt: a board that does not boot is no reason to fetch them again.
    pub(crate) fn leave_open(&self, images: Vec<OpenedImage>) {
        *self.left_open.lock().unwrap_or_else(PoisonError::into_inner) = Some(images);
    }

    /// The images that an attempt left open.
    pub(crate) fn left_open(&self) -> Option<Vec<OpenedImage>> {
        self.left_open.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Notes whether this machine has the medium now; gives whether it had it before.
    pub(crate) fn medium_is_here(&self, is_here: bool) -> bool {
        self.has_medium.swap(is_here, Ordering::SeqCst)
    }

    /// Whether this machine has the medium.
    pub(crate) fn has_medium(&self) -> bool {
        self.has_medium.load(Ordering::SeqCst)
    }

    /// Refuses another medium than the first one of this job: an attempt must not go on with a card that was swapped in.
    ///
    /// # Errors
    /// When it is another one by its size or by what the kernel knows of it.
    pub(crate) fn must_be_same_medium(&self, seen: SeenMedium) -> Result<()> {
        let mut first = self.first_medium.lock().unwrap_or_else(PoisonError::into_inner);
        seen.must_be(first.get_or_insert_with(|| seen.clone()))
    }

    /// A word of 32 bits that is the job's own, and another for each `place`.
    pub(crate) fn other_word(&self, place: u64) -> u32 {
        let own = u32::from_str_radix(self.token.get(..8).unwrap_or_default(), 16).unwrap_or(0x5a5a_a5a5);
        own ^ (place as u32) ^ (place >> 32) as u32 | 1
    }

    /// The boot files of this attempt.
    pub(crate) fn staging(&self) -> Staging {
        self.staging.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
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
