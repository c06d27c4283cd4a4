//! Counts of many cases, and the table of them.

use std::fmt;

use crate::judge::{BrokenRule, Judgement};
use crate::roots::RootFound;

/// Of so many failures in a hundred the message must name what was wrong.
const NAMED_PERCENT: usize = 95;

/// What became of many cases.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    cases: usize,
    failed: usize,
    false_successes: usize,
    hangs: usize,
    crashes: usize,
    leftovers: usize,
    wrong_power: usize,
    wrong_class: usize,
    wrong_statements: usize,
    bad_receipts: usize,
    with_cause: usize,
    cause_named: usize,
    with_root: usize,
    root_right: usize,
    root_not_known: usize,
    seconds: f64,
    /// Commands that play again what broke a rule.
    pub commands: Vec<String>,
}

impl Tally {
    pub(crate) fn count(&mut self, judgement: &Judgement, seconds: f64) {
        let has = |kind: BrokenRule| usize::from(judgement.problems.iter().any(|(it, _)| *it == kind));
        self.cases += 1;
        self.failed += usize::from(judgement.failed);
        self.false_successes += has(BrokenRule::FalseSuccess);
        self.hangs += has(BrokenRule::Hang);
        self.crashes += has(BrokenRule::Crash);
        self.leftovers += has(BrokenRule::Leftover);
        self.wrong_power += has(BrokenRule::Power);
        self.wrong_class += has(BrokenRule::Class);
        self.wrong_statements += has(BrokenRule::Statement);
        self.bad_receipts += has(BrokenRule::Receipt);
        self.with_cause += usize::from(judgement.names_cause.is_some());
        self.cause_named += usize::from(judgement.names_cause == Some(true));
        self.with_root += usize::from(judgement.root.is_some());
        self.root_right += usize::from(judgement.root == Some(RootFound::Right));
        self.root_not_known += usize::from(judgement.root == Some(RootFound::NotKnown));
        self.seconds += seconds;
    }

    /// Whether every rule held in every case, and enough messages name what was wrong.
    pub fn is_clean(&self) -> bool {
        let broken = self.false_successes
            + self.hangs
            + self.crashes
            + self.leftovers
            + self.wrong_power
            + self.wrong_class
            + self.wrong_statements
            + self.bad_receipts;
        broken == 0 && self.named_enough()
    }

    /// In a few cases one more may be missing.
    fn named_enough(&self) -> bool {
        (self.cause_named + 1) * 100 >= self.with_cause * NAMED_PERCENT
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |part: usize, of: usize| {
            if of == 0 {
                "-".to_owned()
            } else {
                format!("{part} of {of} ({:.1} %)", 100.0 * part as f64 / of as f64)
            }
        };
        let rows = [
            ("cases", format!("{}, of which {} failed", self.cases, self.failed)),
            ("false successes", self.false_successes.to_string()),
            ("hangs", self.hangs.to_string()),
            ("crashes", self.crashes.to_string()),
            ("leftovers", self.leftovers.to_string()),
            ("power not as it must be", self.wrong_power.to_string()),
            ("receipts that disagree", self.bad_receipts.to_string()),
            ("right class", share(self.with_cause - self.wrong_class.min(self.with_cause), self.with_cause)),
            ("right cause", share(self.cause_named, self.with_cause)),
            ("right root cause", share(self.root_right, self.with_root)),
            ("root cause unknown", share(self.root_not_known, self.with_root)),
            (
                "right statement",
                share(self.with_cause - self.wrong_statements.min(self.with_cause), self.with_cause),
            ),
            ("seconds of flashing", format!("{:.0}", self.seconds)),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<24} {value}")?;
        }
        Ok(())
    }
}
