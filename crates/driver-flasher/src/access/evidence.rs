//! How what was written and read is known: what the receipt says of it.

use flasher_core::flash::{CacheBypass, DigestsBy, MediumFacts, ZerosBy};

/// How something was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WriteEvidence {
    /// How zeros were made; none where there were none to make.
    pub(crate) zeros_by: Option<ZerosBy>,
}

impl WriteEvidence {
    /// Notes it on the receipt.
    pub(crate) fn note(self, medium: &mut MediumFacts) {
        medium.zeros_by = self.zeros_by.or(medium.zeros_by);
    }
}

/// How something was read back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadEvidence {
    /// How the reading went around the page cache.
    pub(crate) cache_bypass: Option<CacheBypass>,
    /// Who made the digests.
    pub(crate) digests_by: Option<DigestsBy>,
}

impl ReadEvidence {
    /// Some more digests were made by `who`.
    pub(crate) fn made_by(&mut self, who: DigestsBy) {
        self.digests_by = Some(joined(self.digests_by, who));
    }

    /// Notes it on the receipt, beside what was read before.
    pub(crate) fn note(self, medium: &mut MediumFacts) {
        medium.read_back = self.cache_bypass.or(medium.read_back);
        if let Some(who) = self.digests_by {
            medium.digests_by = Some(joined(medium.digests_by, who));
        }
    }
}

fn joined(before: Option<DigestsBy>, who: DigestsBy) -> DigestsBy {
    match before {
        Some(before) if before != who => DigestsBy::Both,
        _ => who,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_before_stays_known() {
        use DigestsBy::{Board, Both, Exporter};
        for (course, expected) in [
            (vec![], None),
            (vec![Board, Board], Some(Board)),
            (vec![Exporter, Board], Some(Both)),
            (vec![Exporter, Board, Board], Some(Both)),
        ] {
            let mut medium = MediumFacts::default();
            for who in &course {
                let mut evidence = ReadEvidence::default();
                evidence.made_by(*who);
                evidence.note(&mut medium);
            }
            assert_eq!(medium.digests_by, expected, "{course:?}");
        }
        let mut medium = MediumFacts { zeros_by: Some(ZerosBy::Discard), ..MediumFacts::default() };
        WriteEvidence::default().note(&mut medium);
        assert_eq!(medium.zeros_by, Some(ZerosBy::Discard));
    }
}
