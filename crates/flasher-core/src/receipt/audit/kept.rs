//! Partitions that were to stay: nothing was written there, and they were read before and after.

use super::flaw::{Audited, demand, is_digest};
use crate::receipt::kept::KEPT_STRETCH;
use crate::receipt::{JobKind, KeptPartition, MediumFacts, RangeFacts, RangeKind};

/// Whether the range is of a partition that stays.
pub(super) fn is_kept(medium: &MediumFacts, range: &RangeFacts) -> bool {
    medium.kept.iter().any(|kept| kept.holds(range.offset, range.length))
}

/// The kept partitions of a medium bear out what they tell. `place` is what its places begin with.
pub(super) fn audit(job: JobKind, medium: &MediumFacts, place: &str) -> Audited {
    let is_meant = medium.kept.is_empty() || (job == JobKind::Flash && medium.partition.is_none());
    demand(is_meant, format!("{place}medium.kept"), "only a flash of a whole device keeps partitions")?;
    let mut end = 0;
    for (index, kept) in medium.kept.iter().enumerate() {
        let at = format!("{place}medium.kept[{index}]");
        demand(kept.offset >= end, &at, "it is not behind the one before it")?;
        one(kept, medium, &at)?;
        end = kept.end();
    }
    Ok(())
}

fn one(kept: &KeptPartition, medium: &MediumFacts, place: &str) -> Audited {
    demand(!kept.label.is_empty(), place, "it has no label")?;
    let fits = kept.length > 0 && kept.offset.checked_add(kept.length).is_some_and(|end| end <= medium.size);
    demand(fits, place, "it is not on the medium")?;
    let stretches = kept.length.div_ceil(KEPT_STRETCH);
    let is_whole = kept.before.len() as u64 == stretches && kept.before.iter().all(|it| is_digest(Some(it)));
    demand(is_whole, format!("{place}.before"), "it has no digest of all that was there")?;
    demand(kept.after == kept.before, format!("{place}.after"), "something else is there than before")?;
    let written = |range: &&RangeFacts| {
        kept.touches(range.offset, range.length)
            && (range.kind != RangeKind::Unmapped || !kept.holds(range.offset, range.length))
    };
    demand(!medium.ranges.iter().any(|range| written(&range)), place, "the image was written there")
}
