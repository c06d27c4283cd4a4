//! A running job on a terminal: one line for each finished step, one that moves.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flasher_core::{Event, Progress, Step, TransferState};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines::remark;
use super::paint::Paint;
use super::units::{bytes, seconds, tame};
use crate::screen::aside;

const WAITING: &str = " {spinner:.cyan} {prefix:<10} {elapsed:>7}  {wide_msg:.dim}";
const MOVING: &str = " {spinner:.cyan} {prefix:<10} {elapsed:>7}  {bar:20.cyan/8} {binary_bytes} of {binary_total_bytes}, {eta}";
const TICKS: &str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ";
/// Bytes from which an amount is worth a bar and a rate.
const MUCH: u64 = 1 << 20;

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
        let state = State { bar: ProgressBar::hidden(), step: None, remarks: Vec::new(), moved: None };
        Self { paint: Paint::of(&std::io::stderr()), state: Mutex::new(state) }
    }
}

impl Progress for Bars {
    fn report(&self, event: Event) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).take(event, self.paint);
    }
}

impl State {
    fn take(&mut self, event: Event, paint: Paint) {
        match &event {
            Event::StepBegun { step } => self.begin(*step),
            Event::StepDone { step, seconds } => self.done(*step, *seconds, paint),
            Event::Advanced { done, total, .. } => self.advance(*done, *total),
            Event::Console { line } if self.listens() => self.bar.set_message(tame(line)),
            Event::Finished { .. } => self.bar.finish_and_clear(),
            Event::AttemptBegun { attempt, .. } if *attempt > 1 => self.above(&event, paint),
            Event::Retrying { .. } => self.retrying(&event, paint),
            Event::Warning { .. } => self.above(&event, paint),
            Event::Transfer(transfer) if matches!(transfer.state, TransferState::Failed { .. }) => {
                self.above(&event, paint);
            }
            Event::Note { .. } | Event::Transfer(_) => self.remark(&event),
            Event::AttemptBegun { .. } | Event::Console { .. } => {}
        }
    }

    fn begin(&mut self, step: Step) {
        self.bar.finish_and_clear();
        self.remarks.clear();
        (self.step, self.moved) = (Some(step), None);
        self.bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10))
            .with_style(style(WAITING))
            .with_prefix(step.name());
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }

    fn done(&mut self, step: Step, took: f64, paint: Paint) {
        self.bar.finish_and_clear();
        if let Some(count) = self.moved.map(|it| it.all()).filter(|count| *count >= MUCH && took >= 0.1) {
            let rate = bytes((count as f64 / took) as u64);
            self.remarks.push(format!("{} at {rate}/s", bytes(count)));
        }
        let mut remarks = self.remarks.drain(..);
        let (name, time) = (paint.bold(&format!("{:<10}", step.name())), seconds(took));
        let first = paint.dim(&remarks.next().unwrap_or_default());
        aside(&format!(" {} {name} {time:>8}  {first}\n", paint.good("✓")));
        remarks.for_each(|remark| aside(&format!("{:24}{}\n", "", paint.dim(&remark))));
    }

    fn advance(&mut self, done: u64, total: Option<u64>) {
        match total {
            Some(total) if total >= MUCH => {
                if self.moved.is_none() {
                    self.bar.set_style(style(MOVING));
                }
                self.bar.set_length(total);
            }
            _ => self.bar.set_message(bytes(done)),
        }
        self.bar.set_position(done);
        self.moved = Some(self.moved.unwrap_or_default().to(done));
    }

    /// Whether the console is worth watching: later it is a protocol for machines.
    fn listens(&self) -> bool {
        matches!(self.step, Some(Step::Power | Step::Bootloader | Step::Shell | Step::Finish))
    }

    fn remark(&mut self, event: &Event) {
        if let Some(text) = remark(event) {
            self.bar.set_message(text.clone());
            self.remarks.push(text);
        }
    }

    fn retrying(&mut self, event: &Event, paint: Paint) {
        self.bar.finish_and_clear();
        self.above(event, paint);
    }

    fn above(&self, event: &Event, paint: Paint) {
        let text = paint.warning(&format!(" ! {}\n", remark(event).unwrap_or_default()));
        self.bar.suspend(|| aside(&text));
    }
}

fn style(template: &str) -> ProgressStyle {
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
}
