//! The receipt: the only place that says `proven`, and only with the evidence in hand.

use std::path::Path;

use disk_image::Digest;
use flasher_core::flash::{
    FurtherImage, JobKind, MediumFacts, RangeFacts, RangeKind, TranscriptFacts, Verify,
};
use flasher_core::{Class, Error, Failure, Receipt, Result, Verdict};

use super::run::{Run, State};

/// What a proven image has to show: every range read back equals the image. Made by the commit step alone, and by that
/// of a dump.
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
        let state = self.state();
        let outcome = outcome.and_then(|proofs| audit_all(&proofs, &state));
        let failure = outcome.err().map(|error| Failure::new(state.step, &error));
        let FurtherImage { image, medium } = state.images.first().cloned().unwrap_or_default();
        Receipt {
            schema: 1,
            tool: format!("flasher {}", env!("CARGO_PKG_VERSION")),
            job: state.job,
            verdict: verdict(failure.as_ref(), &state),
            failure,
            started: self.started,
            seconds: self.begun.elapsed().as_secs_f64(),
            attempts: state.attempts,
            image,
            board: state.board.clone(),
            medium,
            further: state.images.iter().skip(1).cloned().collect(),
            steps: state.steps.clone(),
            power: state.power,
            power_evidence: state.power_evidence,
            transcript,
            warnings: state.warnings.clone(),
        }
    }

    async fn transcript_facts(&self) -> Option<TranscriptFacts> {
        let (transcript, file) = {
            let state = self.state();
            (state.transcript.clone()?, state.transcript_file.clone()?)
        };
        if let Err(error) = transcript.flush().await {
            self.warn(error.to_string());
        }
        let bytes =
            tokio::fs::read(&file).await.map_err(|error| self.warn(unreadable(&file, &error))).ok()?;
        Some(TranscriptFacts { file: file.display().to_string(), sha256: Digest::of(&bytes).to_string() })
    }
}

fn unreadable(file: &Path, error: &std::io::Error) -> String {
    format!("cannot read the transcript `{}` for its digest: {error}", file.display())
}

/// Proven is what was read back in full; an audited flash that was asked to read less is written.
fn verdict(failure: Option<&Failure>, state: &State) -> Verdict {
    let full = |image: &FurtherImage| image.medium.as_ref().is_some_and(|it| it.verify == Verify::Full);
    match failure {
        Some(_) => Verdict::Failed,
        None if state.images.iter().all(full) => Verdict::Proven,
        None => Verdict::Written,
    }
}

/// Looks at the facts once more, independently of the steps that gathered them.
fn audit_all(proofs: &[Proof], state: &State) -> Result<()> {
    if proofs.len() != state.images.len() {
        return bug("not each of its images has a proof");
    }
    proofs.iter().zip(&state.images).try_for_each(|(proof, image)| audit(proof, image, state.job))
}

fn bug(what: &str) -> Result<()> {
    Err(Error::new(Class::Internal, format!("the flash ended as proven, but {what}"))
        .help("the medium is not proven; please report this"))
}

fn audit(proof: &Proof, facts: &FurtherImage, job: JobKind) -> Result<()> {
    let Some(medium) = &facts.medium else { return bug("no medium was recorded") };
    if facts.image.decoded_sha256 != Some(proof.decoded.to_string()) {
        return bug("the image's digest is another");
    }
    if !covers(medium, proof.length) {
        return bug("the ranges do not cover the image");
    }
    if !medium.ranges.iter().all(|range| is_borne_out(range, medium.verify, job)) {
        return bug("a range was not read back, or differs");
    }
    Ok(())
}

/// Nothing is written where the image does not care, and nothing at all by a dump; what is to be read back equals the image, and so does the first
/// block whatever else is read.
fn is_borne_out(range: &RangeFacts, verify: Verify, job: JobKind) -> bool {
    let read = range.read_back.as_ref() == Some(&range.sha256);
    match range.kind {
        RangeKind::DontCare => range.writes == 0,
        kind if verify.reads(kind) || range.offset == 0 => read,
        _ => (range.writes > 0 || job == JobKind::Dump) && (read || range.read_back.is_none()),
    }
}

fn covers(medium: &MediumFacts, length: u64) -> bool {
    let end = medium.ranges.iter().try_fold(0, |at, range| (range.offset == at).then_some(at + range.length));
    end == Some(length)
}

#[cfg(test)]
mod tests;
