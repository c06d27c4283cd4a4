//! What a job moved and when: how fast it loaded, wrote and read back, and which transfers its file servers saw.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rounded;
use crate::event::{Event, Step, Transfer, TransferState};
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

/// What a job moved, and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrafficFacts {
    /// How bytes moved in the last attempt, a series for each way they took.
    #[serde(default)]
    pub rates: Vec<RateFacts>,
    /// The first and the last transfers that the file servers saw, over all attempts, in the order of their ends.
    #[serde(default)]
    pub transfers: Vec<TransferFacts>,
    /// How many more there were between them.
    #[serde(default)]
    pub transfers_left_out: u64,
}

impl TrafficFacts {
    /// Whether nothing was recorded, as in receipts of former versions.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How bytes moved over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateFacts {
    /// Which bytes.
    pub of: Moved,
    /// How far they had come, in the order of time; at most 120 points, further apart the longer it took.
    pub points: Vec<RatePoint>,
}

/// Which bytes moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Moved {
    /// Files into the board's memory.
    Load,
    /// The image onto the medium. Counted is the place in the image, so zeros and gaps count too.
    Write,
    /// The medium, read back to be compared.
    ReadBack,
    /// The medium of a dump, read the first time.
    Read,
}

/// So many bytes had moved at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RatePoint {
    /// Seconds since the job began.
    pub at: f64,
    /// Bytes since the first point of the series.
    pub bytes: u64,
}

/// What a file server saw of one transfer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TransferFacts {
    /// In which attempt, from 1.
    pub attempt: u32,
    /// `tftp` or `http`.
    pub protocol: String,
    /// The file that was asked for.
    pub file: String,
    /// When it ended: seconds since the job began.
    pub ended: f64,
    /// How long it took, seconds, where the server tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Bytes that were acknowledged (TFTP) or handed over (HTTP).
    pub bytes: u64,
    /// Packets sent again.
    pub resends: u64,
    /// How it ended.
    pub end: TransferEnd,
    /// Why it ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransferEnd {
    /// Every byte arrived.
    Done,
    /// Every byte was sent, and the last acknowledgement did not come.
    Unconfirmed,
    /// It ended early, or was refused.
    Failed,
}

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
