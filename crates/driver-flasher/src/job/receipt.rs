//! The receipt: the only place that says `proven`, and only with the evidence in hand.

use std::time::Duration;

use disk_image::Digest;
use flasher_core::flash::{
    FurtherImage, JobKind, MediumState, RangeFacts, RangeKind, TranscriptFacts, Verify, audit,
};
use flasher_core::{Class, Error, Failure, Receipt, Result, Step, Verdict};

use super::record::{State, to_milliseconds};
use super::run::Run;
use super::writes::ReadAt;

/// What a proven image has to show: every range equals the image, as read back after the last write. Made by the verify
/// step alone, and at the end of a dump.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) decoded: Digest,
    pub(crate) length: u64,
}

impl Run {
    /// The receipt of a job that ended with `outcome`, a proof for each of its images. A proof that the recorded facts do not bear out is a bug of
    /// ours, and is reported as one.
    pub(crate) async fn receipt(&self, outcome: Result<Vec<Proof>>) -> Receipt {
        let transcript = self.transcript_facts().await;
        let took = self.record.begun.elapsed();
        let mut state = self.record.state();
        let outcome = outcome.and_then(|proofs| audit_all(&proofs, &state, self.writes.so_far()));
        let failure =
            outcome.err().map(|error| Failure::new(state.step, &error).leaves(self.on_medium.now()));
        state.settle_attempt(took, failure.as_ref());
        let receipt = self.facts(&state, failure, transcript, took);
        borne_out(receipt, state.step).sealed()
    }

    /// What is known, with the verdict that it has come to.
    fn facts(
        &self,
        state: &State,
        failure: Option<Failure>,
        transcript: Option<TranscriptFacts>,
        took: Duration,
    ) -> Receipt {
        let FurtherImage { image, medium } = state.images.first().cloned().unwrap_or_default();
        let tool = format!("flasher {}", env!("CARGO_PKG_VERSION"));
        Receipt {
            verdict: verdict(failure.as_ref(), state),
            failure,
            attempts: state.attempts,
            history: state.history.clone(),
            image,
            board: state.board.clone(),
            medium,
            found: state.found.clone(),
            further: state.images.iter().skip(1).cloned().collect(),
            steps: state.steps.iter().map(|(step, seconds)| (*step, to_milliseconds(*seconds))).collect(),
            power: state.power,
            power_evidence: state.power_evidence,
            traffic: self.traffic(),
            transcript,
            warnings: state.warnings.clone(),
            ..Receipt::blank(&tool, state.job, self.record.site.clone(), self.record.started, took)
        }
    }

    async fn transcript_facts(&self) -> Option<TranscriptFacts> {
        // A transcript that is not whole is none; the warning says why.
        self.console.facts().await.map_err(|text| self.warn(text)).ok()?
    }
}

/// The receipt itself, or one of a failure when its facts do not bear out its verdict: that is a bug of ours.
fn borne_out(receipt: Receipt, step: Step) -> Receipt {
    if matches!(receipt.verdict, Verdict::Failed | Verdict::Identified) {
        return receipt;
    }
    let Err(flaw) = audit::audit(&receipt) else { return receipt };
    let failure = Failure::new(step, &not_proven(&flaw.to_string())).leaves(MediumState::NotProven);
    let mut history = receipt.history.clone();
    if let Some(last) = history.last_mut() {
        last.failure = Some(failure.clone());
    }
    Receipt { verdict: Verdict::Failed, failure: Some(failure), history, ..receipt }
}

/// Proven is what was read back in full; an audited flash that was asked to read less is written.
fn verdict(failure: Option<&Failure>, state: &State) -> Verdict {
    let full = |image: &FurtherImage| image.medium.as_ref().is_some_and(|it| it.verify == Verify::Full);
    match failure {
        Some(_) => Verdict::Failed,
        None if state.job == JobKind::Identify => Verdict::Identified,
        None if state.images.iter().all(full) => Verdict::Proven,
        None => Verdict::Written,
    }
}

/// Each proof is one of the image that the facts tell of, and nothing was written after what it rests on was read.
fn audit_all(proofs: &[Proof], state: &State, writes: u64) -> Result<()> {
    if state.job == JobKind::Identify {
        return Ok(());
    }
    if proofs.len() != state.images.len() {
        return Err(not_proven("not each of its images has a proof"));
    }
    proofs.iter().zip(&state.images).try_for_each(|(proof, image)| audit_one(proof, image))?;
    match state.images.iter().zip(&state.read_at).all(|(image, read_at)| is_fresh(image, read_at, writes)) {
        true => Ok(()),
        false => Err(not_proven("something was written after a range was read back")),
    }
}

fn audit_one(proof: &Proof, facts: &FurtherImage) -> Result<()> {
    let digest = Some(proof.decoded.to_string());
    if facts.image.decoded_sha256 != digest || facts.image.decoded_length != Some(proof.length) {
        return Err(not_proven("the image's digest or length is another"));
    }
    Ok(())
}

/// Whether every range that counts was read back after all of so many writes: the first block always counts, unless the
/// image does not care about it.
fn is_fresh(image: &FurtherImage, read_at: &ReadAt, writes: u64) -> bool {
    image.medium.iter().all(|medium| {
        let first = |range: &RangeFacts| range.offset == 0 && range.kind != RangeKind::Unmapped;
        let counts = |range: &RangeFacts| medium.verify.reads(range.kind) || first(range);
        let mut ranges = medium.ranges.iter().enumerate();
        ranges.all(|(index, range)| !counts(range) || read_at.is_after_all(index, writes))
    })
}

fn not_proven(what: &str) -> Error {
    Error::new(Class::Internal, format!("the flash ended as proven, but {what}"))
        .help("the medium is not proven; please report this")
}

#[cfg(test)]
mod tests;
