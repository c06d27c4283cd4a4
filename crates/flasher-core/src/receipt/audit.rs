//! Whether a receipt bears out its own verdict: made before a receipt says `proven`, and whenever one is looked at again.
//!
//! Everything that a receipt tells twice must agree, and everything that must be so for its verdict must be there. What only
//! the writer knew (the name of a board, the serial number of a card) cannot be found out here; the digest over the whole
//! guards it.

mod compare;
mod flaw;
mod image;
mod kept;
mod medium;
mod zeros;

use std::collections::BTreeMap;

use self::flaw::{Audited, demand, is_digest, parts};
pub use self::flaw::{Flaw, Part};
pub use self::image::{ImageMap, ImageRange, Matched, against};
pub use self::medium::is_known_format;
use super::seal::FORMER;
use super::{AttemptFacts, JobKind, PowerState, Receipt, SCHEMA, Verdict, ViaUsed, milliseconds};
use crate::clock;
use crate::step::Step;

/// Rounding of the times in a receipt, seconds each.
const ROUNDING: f64 = 0.002;

/// The images that a receipt of a good end tells of, and where they are.
///
/// # Errors
/// The first thing that does not bear out `proven` or `written, not proven`.
pub fn audit(receipt: &Receipt) -> Result<Vec<Part<'_>>, Flaw> {
    let is_sealed = receipt.schema == SCHEMA || receipt.schema == FORMER;
    demand(is_sealed, "schema", "a former version wrote it, without a digest over the whole")?;
    demand(receipt.verdict != Verdict::Failed, "verdict", "it says `failed`")?;
    let is_identified = receipt.verdict == Verdict::Identified || receipt.job == JobKind::Identify;
    demand(!is_identified, "verdict", "it says what a medium holds, and proves no image")?;
    demand(receipt.failure.is_none(), "failure", "it tells of a failure")?;
    demand(receipt.tool.starts_with("flasher "), "tool", "it does not name what wrote it")?;
    let needs_power = via(receipt) != Some(ViaUsed::Host);
    demand(
        !needs_power || receipt.power != PowerState::Untouched,
        "power",
        "the board was never switched on",
    )?;
    board(receipt)?;
    let transcript = receipt.transcript.as_ref().map(|it| &it.sha256);
    demand(transcript.is_none() || is_digest(transcript), "transcript.sha256", "it is no digest")?;
    times(receipt)?;
    history(receipt)?;
    let parts = parts(receipt)?;
    for (place, part) in &parts {
        medium::audit(receipt, place, *part)?;
    }
    medium::together(receipt.job, &parts)?;
    compare::audit(receipt, &parts)?;
    Ok(parts.into_iter().map(|(_, part)| part).collect())
}

/// The way to the medium that was taken.
fn via(receipt: &Receipt) -> Option<ViaUsed> {
    receipt.medium.as_ref().and_then(|medium| medium.via)
}

/// A small Linux is of a bundle, which names the board; a boot loader that writes by itself is of none, and so is this machine.
fn board(receipt: &Receipt) -> Audited {
    let bundle = receipt.board.bundle_sha256.as_ref();
    if matches!(via(receipt), Some(ViaUsed::Uboot | ViaUsed::Host)) {
        return demand(bundle.is_none(), "board.bundle_sha256", "nothing was booted, so there is no bundle");
    }
    demand(receipt.board.name.is_some(), "board.name", "it names no board")?;
    demand(is_digest(bundle), "board.bundle_sha256", "it is no digest")
}

/// Milliseconds since 1970 of a time in exactly the form that receipts have: parsers take more, and people read it otherwise.
fn time(place: &str, text: &str) -> Result<i64, Flaw> {
    let time = clock::parse(text).filter(|time| clock::from_milliseconds(*time) == text);
    time.ok_or_else(|| Flaw::new(place, "it is no time"))
}

/// The times agree with each other.
fn times(receipt: &Receipt) -> Audited {
    let begun = time("begun", &receipt.begun)?;
    let ended = time("ended", &receipt.ended)?;
    let started = u64::try_from(begun.div_euclid(1000)).unwrap_or(0);
    demand(receipt.started == started, "started", "it is another time than `begun`")?;
    let exact = receipt.seconds.is_finite() && receipt.seconds >= 0.0;
    let fits = exact && ended - begun == milliseconds(receipt.seconds);
    demand(fits, "ended", "it is not `seconds` after `begun`")
}

/// The attempts agree with the job, and only the last one went well.
fn history(receipt: &Receipt) -> Audited {
    let count = u32::try_from(receipt.history.len()).ok();
    demand(count == Some(receipt.attempts), "attempts", "it is not how many attempts are listed")?;
    let (last, before) =
        receipt.history.split_last().ok_or_else(|| Flaw::new("history", "it tells of no attempt"))?;
    let mut at = clock::parse(&receipt.begun).unwrap_or_default();
    for (index, attempt) in receipt.history.iter().enumerate() {
        let place = format!("history[{index}].begun");
        let begun = time(&place, &attempt.begun)?;
        demand(begun + 1 >= at, place, "it is before the attempt or job before it")?;
        at = begun + milliseconds(attempt.seconds);
        steps(index, attempt)?;
    }
    let ended = clock::parse(&receipt.ended).unwrap_or_default();
    demand(at <= ended + 2, "history", "its attempts took longer than the job")?;
    let failed = before.iter().all(|attempt| attempt.failure.is_some());
    demand(failed, "history", "an attempt that did not fail was followed by another")?;
    demand(last.failure.is_none(), "history", "its last attempt failed")?;
    demand(last.steps == receipt.steps, "steps", "they are not those of the last attempt")?;
    let state = (last.power, last.power_evidence) == (receipt.power, receipt.power_evidence);
    demand(state, "power", "it is not what the last attempt left")?;
    let all = steps_of(receipt);
    let did = receipt.steps.keys().copied().collect::<Vec<_>>();
    demand(all.iter().all(|step| did.contains(step)), "steps", "a step was left out")?;
    demand(did.len() == all.len(), "steps", "it has a step that such a job has not")
}

/// The steps that such a job has.
fn steps_of(receipt: &Receipt) -> Vec<Step> {
    match receipt.job {
        JobKind::Dump => DUMP.to_vec(),
        // Former versions compared nothing beforehand.
        JobKind::Flash if receipt.schema == FORMER => {
            Step::ALL.into_iter().filter(|step| *step != Step::Compare).collect()
        }
        JobKind::Flash | JobKind::Identify => Step::ALL.to_vec(),
    }
}

/// The steps of a dump.
const DUMP: [Step; 10] = [
    Step::Resolve,
    Step::Plan,
    Step::Services,
    Step::Power,
    Step::Bootloader,
    Step::Shell,
    Step::Target,
    Step::Read,
    Step::Verify,
    Step::Commit,
];

fn steps(index: usize, attempt: &AttemptFacts) -> Audited {
    let AttemptFacts { steps, seconds, .. } = attempt;
    let place = || format!("history[{index}].steps");
    let possible = |seconds: f64| seconds.is_finite() && seconds >= 0.0;
    demand(possible(*seconds) && steps.values().all(|it| possible(*it)), place(), "no time is negative")?;
    let slack = ROUNDING * (steps.len() + 1) as f64;
    demand(sum(steps) <= seconds + slack, place(), "they took longer than the attempt")
}

fn sum(steps: &BTreeMap<Step, f64>) -> f64 {
    steps.values().sum()
}

#[cfg(test)]
pub(crate) mod tests;
