//! Jobs: what their receipts say, added up.

use std::sync::atomic::AtomicU64;

use flasher_core::flash::{JobKind, MediumFacts, ZerosBy};
use flasher_core::{Receipt, Verdict};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    board: String,
    node: String,
    job: &'static str,
    verdict: &'static str,
    class: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BoardLabels {
    board: String,
    node: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    board: String,
    node: String,
    step: String,
}

/// The series of jobs.
#[derive(Default)]
pub(super) struct JobMetrics {
    running: Gauge,
    ended: Family<JobLabels, Counter>,
    written: Family<BoardLabels, Counter>,
    read_back: Family<BoardLabels, Counter>,
    read_back_rate: Family<BoardLabels, Gauge<f64, AtomicU64>>,
    steps: Family<StepLabels, Counter<f64, AtomicU64>>,
    retries: Family<BoardLabels, Counter>,
}

impl JobMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register("flasher_jobs_running", "Jobs that run now", all.running.clone());
        let help = "Jobs, by board, verdict, and class of the failure";
        registry.register("flasher_jobs", help, all.ended.clone());
        let help = "Bytes written to media, zeros that were written included";
        registry.register_with_unit("flasher_written", help, Unit::Bytes, all.written.clone());
        let help = "Bytes read back from media and found right";
        registry.register_with_unit("flasher_read_back", help, Unit::Bytes, all.read_back.clone());
        let help = "How fast the last job that succeeded read back";
        registry.register("flasher_read_back_bytes_per_second", help, all.read_back_rate.clone());
        let help = "Time that the steps of jobs took, all attempts together";
        registry.register_with_unit("flasher_step", help, Unit::Seconds, all.steps.clone());
        registry.register("flasher_retries", "Attempts of jobs after the first one", all.retries.clone());
        all
    }

    /// A job has begun.
    pub(super) fn begin(&self) -> RunningJob {
        self.running.inc();
        RunningJob(self.running.clone())
    }

    /// A job has ended.
    pub(super) fn end(&self, receipt: &Receipt) {
        let board = receipt.board.name.clone().unwrap_or_default();
        let node = receipt.site.node.clone().unwrap_or_default();
        let class = receipt.class().map(|class| class.to_string()).unwrap_or_default();
        let (job, verdict) = (job(receipt.job), verdict(receipt.verdict));
        let labels = JobLabels { board: board.clone(), node: node.clone(), job, verdict, class };
        self.ended.get_or_create(&labels).inc();
        // A receipt that tells of no attempt is of a job with one.
        let attempts = receipt.history.iter().map(|attempt| &attempt.steps);
        let last = receipt.history.is_empty().then_some(&receipt.steps);
        for (step, seconds) in attempts.chain(last).flatten() {
            let labels = StepLabels { board: board.clone(), node: node.clone(), step: step.to_string() };
            self.steps.get_or_create(&labels).inc_by(*seconds);
        }
        self.bytes(receipt, &BoardLabels { board, node });
    }

    fn bytes(&self, receipt: &Receipt, labels: &BoardLabels) {
        let further = receipt.further.iter().filter_map(|further| further.medium.as_ref());
        let media: Vec<_> = receipt.medium.iter().chain(further).collect();
        self.retries.get_or_create(labels).inc_by(u64::from(receipt.attempts.saturating_sub(1)));
        self.written.get_or_create(labels).inc_by(media.iter().map(|medium| written(medium)).sum());
        let right: u64 = media.iter().map(|medium| read_back(medium)).sum();
        self.read_back.get_or_create(labels).inc_by(right);
        let verify = receipt.steps.get(&flasher_core::Step::Verify).filter(|seconds| **seconds > 0.0);
        if let (None, Some(seconds)) = (receipt.class(), verify) {
            self.read_back_rate.get_or_create(labels).set(right as f64 / seconds);
        }
    }
}

/// A job that counts as running.
#[derive(Debug)]
pub(crate) struct RunningJob(Gauge);

impl Drop for RunningJob {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn job(job: JobKind) -> &'static str {
    match job {
        JobKind::Flash => "flash",
        JobKind::Dump => "dump",
        JobKind::Identify => "identify",
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Proven => "proven",
        Verdict::Written => "written",
        Verdict::Identified => "identified",
        Verdict::Failed => "failed",
    }
}

/// Bytes that the last attempt wrote to a medium; zeros that it discarded were not written.
fn written(medium: &MediumFacts) -> u64 {
    let zeros = if medium.zeros_by == Some(ZerosBy::Discard) { 0 } else { medium.zeros_written };
    medium.data_written.saturating_add(zeros)
}

/// Bytes of the ranges that were read back and hold what they should.
fn read_back(medium: &MediumFacts) -> u64 {
    let right = |range: &&flasher_core::flash::RangeFacts| range.read_back.as_ref() == Some(&range.sha256);
    medium.ranges.iter().filter(right).map(|range| range.length).sum()
}
