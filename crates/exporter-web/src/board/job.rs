//! A job of a board as it runs and as it ended, made of its events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use exporter_grpc::{DirectClient, FollowedJob};
use exporter_wire::notice::JobNotice;
use flasher_core::{Class, Event, Receipt, Step, Timed, safe};
use futures_util::StreamExt as _;
use ledger::{Filter, Ledger};
use report::Standing;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// What is shown changes at most so often.
const SHOWN: Duration = Duration::from_millis(200);
/// Over how long the rate is taken, seconds.
const RATE_OVER: f64 = 5.0;
/// Notes and warnings that are shown.
const NOTES: usize = 5;
/// Longest text of one, characters.
const LONGEST: usize = 500;
/// Among how many jobs of the ledger the one that has just ended is looked for.
const NEWEST: u32 = 20;

/// A job as it is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobView {
    /// `flash os.img`.
    pub(crate) label: String,
    /// Which attempt, and how many there may be.
    pub(crate) attempt: Option<(u32, u32)>,
    /// The steps so far of this attempt.
    pub(crate) steps: Vec<(Step, StepState)>,
    /// Bytes done of the step that runs, and in all.
    pub(crate) done: u64,
    pub(crate) total: Option<u64>,
    /// Bytes a second.
    pub(crate) rate: Option<f64>,
    /// What is waited for, and how many seconds are left for it.
    pub(crate) waiting: Option<(String, f64)>,
    /// Whether the image is on its way to the exporter.
    pub(crate) is_sent: bool,
    pub(crate) notes: VecDeque<Note>,
    /// How it ended; none while it runs.
    pub(crate) outcome: Option<JobEnd>,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum StepState {
    Running,
    /// It took so many seconds.
    Done(f64),
}

/// Something to know about the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) is_warning: bool,
    pub(crate) text: String,
}

/// How a job ended.
#[derive(Clone, Debug)]
pub(crate) enum JobEnd {
    /// It never began.
    Refused { class: Class, reason: String },
    /// With a receipt, which is in the ledger under this number.
    Receipt { receipt: Box<Receipt>, standing: Standing, report: Option<i64> },
    /// Its end was not heard.
    Unknown,
}

impl JobView {
    /// The step that runs.
    pub(crate) fn step(&self) -> Option<Step> {
        let (step, state) = self.steps.last()?;
        (*state == StepState::Running).then_some(*step)
    }

    /// How much of the running step is done, from 0 to 1, where that is known.
    pub(crate) fn share(&self) -> Option<f64> {
        let total = self.total.filter(|total| *total > 0)?;
        Some((self.done as f64 / total as f64).min(1.0))
    }

    /// Seconds that the running step still takes, by its rate.
    pub(crate) fn left(&self) -> Option<f64> {
        let rate = self.rate.filter(|rate| *rate > 0.0)?;
        Some(self.total?.saturating_sub(self.done) as f64 / rate)
    }

    fn note(&mut self, is_warning: bool, text: &str) {
        if self.notes.len() >= NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(Note { is_warning, text: safe::short(text, LONGEST) });
    }
}

/// A view in the making.
#[derive(Debug, Default)]
struct Progress {
    view: JobView,
    /// Times and bytes of late, for the rate.
    points: VecDeque<(SystemTime, u64)>,
}

impl Progress {
    /// Takes an event or a notice of the exporter, as JSON.
    fn take(&mut self, text: &str) {
        if let Ok(event) = serde_json::from_str::<Timed>(text) {
            self.event(event);
        } else if let Ok(notice) = serde_json::from_str::<JobNotice>(text) {
            self.notice(notice);
        }
    }

    fn event(&mut self, Timed { time, what, .. }: Timed) {
        match what {
            Event::AttemptBegun { attempt, attempts } => {
                self.view.attempt = Some((attempt, attempts));
                self.view.steps.clear();
                self.begin();
            }
            Event::StepBegun { step } => {
                self.begin();
                self.view.steps.push((step, StepState::Running));
            }
            Event::StepDone { step, seconds } => {
                self.begin();
                if let Some(at) = self.view.steps.iter_mut().rfind(|(it, _)| *it == step) {
                    at.1 = StepState::Done(seconds);
                }
            }
            Event::Advanced { done, total, .. } => self.advance(time, done, total),
            Event::AlreadyThere { equal: 0, .. } => {}
            Event::AlreadyThere { equal, compared } => {
                let (equal, compared) = (report::units::bytes(equal), report::units::bytes(compared));
                self.view.note(false, &format!("the medium holds {equal} of {compared} already"));
            }
            Event::Waiting { what, left, .. } => {
                self.view.waiting = Some((safe::short(&what, LONGEST), left))
            }
            Event::Note { message } => self.view.note(false, &message),
            Event::Warning { message } => self.view.note(true, &message),
            Event::Retrying { attempt, pause, cause } => {
                let text = format!("attempt {attempt} failed, the next begins in {pause:.0} s: {cause}");
                self.view.note(true, &text);
            }
            Event::Finished { receipt } => {
                let standing = Standing::of(&receipt);
                self.view.outcome = Some(JobEnd::Receipt { receipt, standing, report: None });
            }
            Event::Console { .. } | Event::Transfer(_) => {}
        }
    }

    fn notice(&mut self, notice: JobNotice) {
        match notice {
            JobNotice::SendFiles => self.view.is_sent = true,
            JobNotice::Refused { class, reason } => {
                self.view.outcome =
                    Some(JobEnd::Refused { class, reason: safe::short(&reason, 4 * LONGEST) });
            }
            JobNotice::JobOver | JobNotice::Planned { .. } | JobNotice::Transcript { .. } => {}
        }
    }

    /// Something new begins: what the step before showed is over.
    fn begin(&mut self) {
        self.points.clear();
        let view = &mut self.view;
        (view.done, view.total, view.rate, view.waiting, view.is_sent) = (0, None, None, None, false);
    }

    fn advance(&mut self, time: SystemTime, done: u64, total: Option<u64>) {
        self.view.waiting = None;
        (self.view.done, self.view.total) = (done, total);
        if self.points.back().is_some_and(|(_, before)| *before > done) {
            self.points.clear();
        }
        self.points.push_back((time, done));
        let since = |at: SystemTime| time.duration_since(at).map_or(0.0, |it| it.as_secs_f64());
        while self.points.len() > 2 && self.points.front().is_some_and(|(at, _)| since(*at) > RATE_OVER) {
            self.points.pop_front();
        }
        let first = self.points.front().copied();
        let over = first.map(|(at, before)| (since(at), done.saturating_sub(before)));
        self.view.rate = over.filter(|(over, _)| *over > 0.3).map(|(over, bytes)| bytes as f64 / over);
    }
}

/// Shows the last job of the flasher at `path`, for ever; `ended` hears of each end.
pub(super) async fn follow(
    client: &DirectClient,
    path: &str,
    shown: &watch::Sender<Option<Arc<JobView>>>,
    ledger: Option<Ledger>,
    ended: &Notify,
) {
    let mut begun = client.beginnings();
    let mut last: Option<FollowedJob> = None;
    loop {
        begun.borrow_and_update();
        let job = client.job(path);
        match job.filter(|job| !last.as_ref().is_some_and(|last| last.is(job))) {
            Some(job) => {
                ended.notify_one();
                let mut view = heard(&job, shown).await;
                find_report(&mut view, ledger.clone()).await;
                shown.send_replace(Some(Arc::new(view)));
                ended.notify_one();
                last = Some(job);
            }
            None if begun.changed().await.is_err() => return,
            None => {}
        }
    }
}

/// Shows a job as it runs, and gives how it ended.
async fn heard(job: &FollowedJob, shown: &watch::Sender<Option<Arc<JobView>>>) -> JobView {
    let label = safe::short(job.label(), LONGEST);
    let mut progress = Progress { view: JobView { label, ..JobView::default() }, ..Progress::default() };
    shown.send_replace(Some(Arc::new(progress.view.clone())));
    let mut events = std::pin::pin!(job.events());
    let mut due: Option<Instant> = None;
    loop {
        let show = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = show => {
                shown.send_replace(Some(Arc::new(progress.view.clone())));
                due = None;
            }
            event = events.next() => match event {
                Some(text) => {
                    progress.take(&text);
                    due = due.or(Some(Instant::now() + SHOWN));
                }
                None => break,
            }
        }
    }
    progress.view.outcome.get_or_insert(JobEnd::Unknown);
    progress.view
}

/// Notes under which number the ledger has the receipt. What cannot be found has no report here.
async fn find_report(view: &mut JobView, ledger: Option<Ledger>) {
    let (Some(JobEnd::Receipt { receipt, report, .. }), Some(ledger)) = (&mut view.outcome, ledger) else {
        return;
    };
    let (node, begun) = (receipt.site.node.clone(), receipt.begun.clone());
    let found = tokio::task::spawn_blocking(move || {
        let filter = Filter { board: node, limit: Some(NEWEST), ..Filter::default() };
        let jobs = ledger.history(&filter).ok()?;
        jobs.rows.into_iter().find(|job| job.begun == begun).map(|job| job.id)
    });
    *report = found.await.ok().flatten();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(events: &[&str]) -> JobView {
        let mut progress = Progress::default();
        events.iter().for_each(|event| progress.take(event));
        progress.view
    }

    #[test]
    fn a_view_tells_of_the_step_that_runs() {
        let view = progress(&[
            r#"{"event":"attempt-begun","attempt":1,"attempts":4}"#,
            r#"{"event":"step-begun","step":"resolve"}"#,
            r#"{"event":"step-done","step":"resolve","seconds":0.5}"#,
            r#"{"event":"step-begun","step":"write"}"#,
            r#"{"time":"2026-11-27T20:24:41.000Z","event":"advanced","step":"write","done":0,"total":1000}"#,
            r#"{"time":"2026-11-27T20:24:43.000Z","event":"advanced","step":"write","done":500,"total":1000}"#,
        ]);
        assert_eq!((view.step(), view.share(), view.rate), (Some(Step::Write), Some(0.5), Some(250.0)));
        assert_eq!(view.left(), Some(2.0));
        assert_eq!(view.steps[0], (Step::Resolve, StepState::Done(0.5)));
        assert!(view.outcome.is_none());
    }

    #[test]
    fn notes_are_bounded_and_harmless() {
        let long = format!(r#"{{"event":"warning","message":"<b>\u001b[2J{}"}}"#, "x".repeat(100_000));
        let view = progress(&[long.as_str(); 50]);
        assert_eq!(view.notes.len(), NOTES);
        let note = &view.notes[0];
        assert!(
            note.is_warning && note.text.len() < 2 * LONGEST && !note.text.contains('\u{1b}'),
            "{note:?}"
        );
        let view =
            progress(&["no JSON", r#"{"event":"refused","class":"config","reason":"no such target"}"#]);
        assert!(matches!(view.outcome, Some(JobEnd::Refused { class: Class::Config, .. })), "{view:?}");
    }
}
