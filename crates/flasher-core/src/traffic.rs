//! Makes of a job's events what its receipt keeps of them: how fast bytes moved, and which transfers there were.

use std::time::Duration;

use crate::event::{Event, Step, Transfer, TransferState};
use crate::receipt::{Moved, RateFacts, RatePoint, TrafficFacts, TransferEnd, TransferFacts, rounded};
use crate::safe;

#[cfg(test)]
mod tests;

/// Most points of one series: more do not show on a screen, and a receipt must stay small.
const MOST_POINTS: usize = 120;
/// Points closer than this are one, until there are too many.
const CLOSEST: Duration = Duration::from_millis(250);
/// So many of the first transfers are kept, and as many of the last.
const KEPT: usize = 32;
/// Longest name or reason that is kept of a transfer, in characters.
const LONGEST: usize = 200;

/// Makes the facts out of a job's events.
#[derive(Debug, Default)]
pub struct TrafficLog {
    attempt: u32,
    step: Option<Step>,
    step_begun: Duration,
    loaded: u64,
    series: Vec<(Moved, Series)>,
    first: Vec<TransferFacts>,
    last: std::collections::VecDeque<TransferFacts>,
    left_out: u64,
}

impl TrafficLog {
    /// Notes an event of the job that happened so long after it began.
    pub fn note(&mut self, at: Duration, event: &Event) {
        match event {
            Event::AttemptBegun { attempt, .. } => {
                self.attempt = *attempt;
                self.loaded = 0;
                self.series.clear();
            }
            Event::StepBegun { step } => (self.step, self.step_begun) = (Some(*step), at),
            Event::Advanced { step, done, .. } => {
                if let Some(of) = moved(*step) {
                    let begun = self.step_begun;
                    self.series(of).note(begun, at, *done);
                }
            }
            Event::Transfer(transfer) => self.transfer(at, transfer),
            _ => {}
        }
    }

    /// What was noted so far.
    pub fn facts(&self) -> TrafficFacts {
        let rates = self.series.iter().map(|(of, series)| RateFacts { of: *of, points: series.points() });
        TrafficFacts {
            rates: rates.filter(|rate| rate.points.len() > 1).collect(),
            transfers: self.first.iter().chain(&self.last).cloned().collect(),
            transfers_left_out: self.left_out,
        }
    }

    fn series(&mut self, of: Moved) -> &mut Series {
        let index = self.series.iter().position(|(it, _)| *it == of).unwrap_or_else(|| {
            self.series.push((of, Series::default()));
            self.series.len() - 1
        });
        &mut self.series[index].1
    }

    fn transfer(&mut self, at: Duration, transfer: &Transfer) {
        let (bytes, resends, seconds, end, reason) = match &transfer.state {
            TransferState::Begun { .. } => return self.load(at, transfer, 0),
            TransferState::SizeAsked { .. } => return,
            TransferState::Done { bytes, resends, seconds, .. } => {
                (*bytes, *resends, Some(*seconds), TransferEnd::Done, None)
            }
            TransferState::Unconfirmed { bytes, resends, seconds } => {
                (*bytes, *resends, Some(*seconds), TransferEnd::Unconfirmed, None)
            }
            TransferState::Failed { bytes, reason } => {
                (*bytes, 0, None, TransferEnd::Failed, Some(safe::short(reason, LONGEST)))
            }
        };
        self.load(at, transfer, bytes);
        self.keep(TransferFacts {
            attempt: self.attempt,
            protocol: transfer.protocol.clone(),
            file: safe::short(&transfer.file, LONGEST),
            ended: rounded(at),
            seconds: seconds.and_then(|it| Duration::try_from_secs_f64(it).ok()).map(rounded),
            bytes,
            resends,
            end,
            reason,
        });
    }

    /// Counts what came into the board's memory. What a board fetches over HTTP while it writes is the image itself.
    fn load(&mut self, at: Duration, transfer: &Transfer, bytes: u64) {
        let is_image = transfer.protocol == "http" && self.step.is_some_and(|step| step > Step::Shell);
        if !is_image {
            self.loaded = self.loaded.saturating_add(bytes);
            let loaded = self.loaded;
            self.series(Moved::Load).note(at, at, loaded);
        }
    }

    fn keep(&mut self, transfer: TransferFacts) {
        if self.first.len() < KEPT {
            return self.first.push(transfer);
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(transfer);
    }
}

fn moved(step: Step) -> Option<Moved> {
    match step {
        Step::Write => Some(Moved::Write),
        Step::Verify => Some(Moved::ReadBack),
        Step::Read => Some(Moved::Read),
        _ => None,
    }
}

/// A series of points that stays short however long it takes.
#[derive(Debug)]
struct Series {
    /// The least time between two points.
    every: Duration,
    points: Vec<(Duration, u64)>,
    /// What was counted before the count began anew, as it does with the next image.
    before: u64,
    done: u64,
}

impl Default for Series {
    fn default() -> Self {
        Self { every: CLOSEST, points: Vec::new(), before: 0, done: 0 }
    }
}

impl Series {
    /// `done` bytes had moved at the time `at`; the counting began at `begun`.
    fn note(&mut self, begun: Duration, at: Duration, done: u64) {
        if self.points.is_empty() {
            self.points.push((begun.min(at), 0));
            if begun >= at && done == 0 {
                return; // it only begins
            }
        }
        if done < self.done {
            self.before = self.before.saturating_add(self.done);
        }
        self.done = done;
        let point = (at, self.before.saturating_add(done));
        match self.points.as_mut_slice() {
            [.., before, last] if at.saturating_sub(before.0) < self.every => *last = point,
            _ => self.points.push(point),
        }
        if self.points.len() > MOST_POINTS {
            self.thin_out();
        }
    }

    /// Leaves out every second point, but for the last.
    fn thin_out(&mut self) {
        let last = self.points.len() - 1;
        let mut index = 0;
        self.points.retain(|_| {
            index += 1;
            (index - 1) % 2 == 0 || index - 1 == last
        });
        self.every *= 2;
    }

    fn points(&self) -> Vec<RatePoint> {
        self.points.iter().map(|(at, bytes)| RatePoint { at: rounded(*at), bytes: *bytes }).collect()
    }
}
