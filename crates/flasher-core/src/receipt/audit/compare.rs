//! What a receipt tells of the comparison before the first write agrees with itself and with the ranges.

use super::flaw::{Audited, Part, demand};
use crate::receipt::{CompareFacts, JobKind, MediumFacts, RangeFacts, RangeKind, Receipt, SampleFacts};

/// The first schema whose receipts tell of a comparison.
const SINCE: u32 = 3;

/// Whether nothing was written to this medium before it was read back.
pub(super) fn wrote_nothing(medium: &MediumFacts) -> bool {
    medium.compare.as_ref().is_some_and(|facts| facts.compared > 0 && facts.written == 0)
}

/// Whether only what differed was written.
pub(super) fn wrote_less(medium: &MediumFacts) -> bool {
    medium.compare.as_ref().is_some_and(|facts| facts.compared > 0)
}

/// The comparisons of all images of a receipt bear out what they tell.
pub(super) fn audit(receipt: &Receipt, parts: &[(String, Part<'_>)]) -> Audited {
    let wrote = |(_, part): &(String, Part<'_>)| part.medium.ranges.iter().any(|range| range.writes > 0);
    let wrote = parts.iter().any(wrote);
    parts.iter().try_for_each(|(place, part)| one(receipt, wrote, part.medium, place))
}

fn one(receipt: &Receipt, wrote: bool, medium: &MediumFacts, place: &str) -> Audited {
    let at = |name: &str| format!("{place}medium.compare.{name}");
    let held = medium.ranges.iter().any(|range| range.held);
    let Some(facts) = &medium.compare else {
        return demand(
            !held,
            format!("{place}medium.ranges"),
            "nothing was compared, so nothing was there already",
        );
    };
    let is_told = receipt.schema >= SINCE && receipt.job == JobKind::Flash;
    demand(is_told, format!("{place}medium.compare"), "such a job compares nothing before it writes")?;
    let SampleFacts { compared, equal } = facts.sample.unwrap_or_default();
    demand(equal <= compared, at("sample"), "more is equal than was compared")?;
    let whole = counted(medium, |_| true);
    demand(facts.compared == 0 || facts.compared == whole, at("compared"), "it is not all that counts")?;
    let image = medium.ranges.iter().map(|range| range.length).sum();
    demand(facts.fetched.is_none_or(|bytes| bytes <= image), at("fetched"), "it is more than the image has")?;
    let is_skipped = facts.compared == 0 && whole > 0;
    demand(is_skipped == facts.skipped.is_some(), at("skipped"), "nothing says why, or all was compared")?;
    demand(!is_skipped || !held, at("compared"), "nothing was compared, so nothing was there already")?;
    written(facts, medium, &at)?;
    let mended = medium.ranges.iter().any(|range| range.writes > u32::from(!range.held));
    demand(
        !mended || !receipt.warnings.is_empty(),
        "warnings",
        "a range was written again without a warning",
    )?;
    read_again(facts, medium, wrote, at("read_again"))
}

/// What was written is what differed, and the first block with it.
fn written(facts: &CompareFacts, medium: &MediumFacts, at: &impl Fn(&str) -> String) -> Audited {
    let first = medium.ranges.first().filter(|range| cared(range) && !range.held);
    let sent = medium.data_written.saturating_add(medium.zeros_written);
    let sum = sent.saturating_add(first.map_or(0, |range| range.length));
    demand(facts.written == sum, at("written"), "data, zeros and the first block do not add up to it")?;
    if facts.compared == 0 {
        return demand(facts.equal == 0, at("equal"), "more is equal than was compared");
    }
    let all = facts.equal.checked_add(facts.written) == Some(facts.compared);
    demand(all, at("written"), "it is not what differed")?;
    let kept = counted(medium, |range| range.held);
    demand(kept <= facts.equal, at("equal"), "less is equal than the ranges tell")?;
    demand(
        facts.written > 0 || kept == facts.compared,
        at("written"),
        "a range that differed was not written",
    )
}

/// Everything that is read back is read once, or twice where something was written again; it is not read at all where the comparison
/// is the proof.
fn read_again(facts: &CompareFacts, medium: &MediumFacts, wrote: bool, at: String) -> Audited {
    let reads = |range: &RangeFacts| medium.verify.reads(range.kind) || range.offset == 0;
    let again = counted(medium, reads);
    let is_read = facts.read_again == again || again.checked_mul(2) == Some(facts.read_again);
    let is_proof = facts.read_again == 0 && !wrote && facts.compared > 0;
    demand(is_read || is_proof, at, "it is not what is to be read after the last write")
}

/// Bytes of the ranges that count and are `wanted`.
fn counted(medium: &MediumFacts, wanted: impl Fn(&RangeFacts) -> bool) -> u64 {
    medium.ranges.iter().filter(|range| cared(range) && wanted(range)).map(|range| range.length).sum()
}

fn cared(range: &RangeFacts) -> bool {
    range.kind != RangeKind::Unmapped
}
