//! Faults that no person chose: drawn from a seed that is another one each day, and judged from outside.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

use assert_cmd::cargo::cargo_bin;
use xtask_soak::{SoakSettings, soak};

/// How many are drawn.
const CASES: u64 = 60;
/// At a time: most of a flash is waiting.
const JOBS: usize = 6;

/// `FLASHER_SOAK_SEED` plays the cases of another day again.
#[test]
fn sixty_cases_of_today_keep_every_rule() {
    let seed = std::env::var("FLASHER_SOAK_SEED")
        .map_or_else(|_| SoakSettings::seed_of_today(), |it| it.parse().unwrap());
    let settings = SoakSettings {
        seed,
        cases: CASES,
        only: None,
        without: Vec::new(),
        jobs: JOBS,
        list: false,
        keep: false,
        shrink: false,
        program: cargo_bin("flasher"),
    };
    let tally = soak(&settings).unwrap();
    assert!(tally.is_clean(), "from seed {seed}:\n{tally}{:#?}", tally.commands);
}
