//! A running job on a terminal: one line for each finished step, one that moves.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use flasher_core::{Event, Progress, Step, Timed, TransferState};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines::remark;
use super::motion::{motion, waiting};
use super::paint::Paint;
use super::units::{bytes, seconds, tame};
use crate::stderr::aside;

const WAITING: &str = " {spinner:.cyan} {prefix:<10} {elapsed:>7}  {wide_msg:.dim}";
const MOVING: &str = " {spinner:.cyan} {prefix:<10} {elapsed:>7}  {wide_bar:.cyan/8} {msg}";
const TICKS: &str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ";
/// Bytes from which an amount is worth a bar and a rate.
pub(super) const MUCH: u64 = 1 << 20;

/// Draws on standard error.
pub(crate) struct Bars {
    paint: Paint,
    state: Mutex<State>,
}

struct State {
    bar: ProgressBar,
    step: Option<Step>,
    /// What is worth keeping of the running step.
    remarks: Vec<String>,
    moved: Option<Moved>,
    begun: Instant,
}

/// How much a step has moved. One that moves in portions (*verify* tries two ways to read) begins anew with each.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    /// Bytes of the portions that are done.
    before: u64,
    /// Bytes of this one.
    now: u64,
}

impl Moved {
    fn to(self, done: u64) -> Self {
        let before = if done < self.now { self.before + self.now } else { self.before };
        Self { before, now: done }
    }

    fn all(self) -> u64 {
        self.before + self.now
    }
}

impl Bars {
    /// Nothing is drawn before the first event.
    pub(crate) fn new() -> Self {
        let state = State {
            bar: ProgressBar::hidden(),
            step: None,
            remarks: Vec::new(),
            moved: None,
            begun: Instant::now(),
        };
        Self { paint: Paint::of(&std::io::stderr()), state: Mutex::new(state) }
    }
}

impl Progress for Bars {
    fn report(&self, event: Event) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).take(event, self.paint);
    }

    /// A step that began before runs for as long already.
    fn replay(&self, event: Timed) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = matches!(event.what, Event::StepBegun { .. }).then_some(event.time);
        state.take(event.what, self.paint);
        if let Some(since) = begun.and_then(|begun| begun.elapsed().ok()) {
            state.bar = state.bar.clone().with_elapsed(since);
            state.begun = Instant::now().checked_sub(since).unwrap_or(state.begun);
        }
    }
}

impl State {
    fn take(&mut self, event: Event, paint: Paint) {
        match &event {
            Event::StepBegun { step } => self.begin(*step),
            Event::StepDone { step, seconds } => self.done(*step, *seconds, paint),
            Event::Advanced { done, total, .. } => self.advance(*done, *total),
            Event::Console { line, .. } if listens(self.step) => self.bar.set_message(tame(line)),
            Event::Waiting { what, heard, left, .. } => self.bar.set_message(waiting(what, *heard, *left)),
            Event::Finished { receipt } if receipt.failure.is_some() => self.failed(paint),
            Event::Finished { .. } => self.bar.finish_and_clear(),
            Event::AttemptBegun { attempt, .. } if *attempt > 1 => self.above(&event, paint),
            Event::Retrying { .. } => self.retrying(&event, paint),
            Event::Warning { .. } => self.above(&event, paint),
            Event::Transfer(transfer) if matches!(transfer.state, TransferState::Failed { .. }) => {
                self.above(&event, paint);
            }
            Event::Note { .. } | Event::AlreadyThere { .. } | Event::Transfer(_) => self.remark(&event),
            Event::AttemptBegun { .. } | Event::Console { .. } => {}
        }
    }

    fn begin(&mut self, step: Step) {
        self.bar.finish_and_clear();
        self.remarks.clear();
        (self.step, self.moved, self.begun) = (Some(step), None, Instant::now());
        self.bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10))
            .with_style(style(WAITING))
            .with_prefix(step.name())
            .with_message(step.meaning());
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }

    fn done(&mut self, step: Step, took: f64, paint: Paint) {
        self.bar.finish_and_clear();
        if let Some(count) = self.moved.map(|it| it.all()).filter(|count| *count >= MUCH && took >= 0.1) {
            let rate = bytes((count as f64 / took) as u64);
            self.remarks.push(format!("{} at {rate}/s", bytes(count)));
        }
        self.step = None;
        let remarks: Vec<String> = self.remarks.drain(..).collect();
        aside(&ended(&paint.good("✓"), step, took, &remarks, paint));
    }

    /// The step that runs has failed.
    fn failed(&mut self, paint: Paint) {
        self.bar.finish_and_clear();
        if let Some(step) = self.step.take() {
            let remarks = [std::mem::take(&mut self.remarks), vec!["failed".to_owned()]].concat();
            aside(&ended(&paint.bad("✗"), step, self.begun.elapsed().as_secs_f64(), &remarks, paint));
        }
    }

    fn advance(&mut self, done: u64, total: Option<u64>) {
        if let Some(total) = total.filter(|total| *total >= MUCH) {
            if self.moved.is_none() {
                self.bar.set_style(style(MOVING));
            }
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
        self.bar.set_message(motion(done, total, self.begun.elapsed().as_secs_f64()));
        self.moved = Some(self.moved.unwrap_or_default().to(done));
    }

    fn remark(&mut self, event: &Event) {
        if let Some(text) = remark(event) {
            self.bar.set_message(text.clone());
            self.remarks.push(text);
        }
    }

    fn retrying(&mut self, event: &Event, paint: Paint) {
        self.failed(paint);
        self.above(event, paint);
    }

    fn above(&self, event: &Event, paint: Paint) {
        let text = paint.warning(&format!(" ! {}\n", remark(event).unwrap_or_default()));
        self.bar.suspend(|| aside(&text));
    }
}

/// The lines of a step that is over: its mark, its name, how long it took, and what is worth keeping of it.
fn ended(mark: &str, step: Step, took: f64, remarks: &[String], paint: Paint) -> String {
    let (name, time) = (paint.bold(&format!("{:<10}", step.name())), seconds(took));
    let first = remarks.split_first().map(|(first, rest)| (first.as_str(), rest));
    let (first, rest) = first.unwrap_or((step.meaning(), &[]));
    let first = format!(" {mark} {name} {time:>8}  {}", paint.dim(first));
    let rest = rest.iter().map(|remark| format!("\n{:24}{}", "", paint.dim(remark)));
    format!("{first}{}\n", rest.collect::<String>())
}

/// Whether the console is worth watching in this step: later it is a protocol for machines.
pub(super) fn listens(step: Option<Step>) -> bool {
    matches!(step, Some(Step::Power | Step::Bootloader | Step::Shell | Step::Finish))
}

/// The look of a line.
pub(super) fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.tick_chars(TICKS).progress_chars("━╸━")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_in_portions_counts_as_a_whole() {
        let moved = [10, 32, 32, 5, 100].into_iter().fold(Moved::default(), Moved::to);
        assert_eq!(moved.all(), 132);
        assert_eq!([7, 9].into_iter().fold(Moved::default(), Moved::to).all(), 9);
    }

    #[test]
    fn a_step_that_is_over_says_how_it_went() {
        let lines = |mark, step, remarks: &[&str]| {
            let remarks: Vec<String> = remarks.iter().map(|it| (*it).to_owned()).collect();
            ended(mark, step, 12.34, &remarks, Paint::plain())
        };
        assert_eq!(lines("✓", Step::Plan, &[]), " ✓ plan         12.3 s  checks sizes and addresses\n");
        assert_eq!(
            lines("✗", Step::Verify, &["40 MiB at 3 MiB/s", "failed"]),
            " ✗ verify       12.3 s  40 MiB at 3 MiB/s\n                        failed\n"
        );
    }
}
