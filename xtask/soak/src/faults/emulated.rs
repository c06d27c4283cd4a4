//! Faults of an emulated board.

use serde_json::json;

use super::row::{Row, later, set};
use crate::act::Act;
use crate::case::{Case, Effect, End, Via};

type Make = fn(&mut fastrand::Rng, &Case) -> Vec<Effect>;

const fn is(group: &'static str, name: &'static str, make: Make, ends: &'static [End]) -> Row {
    Row { name, group, fits: via_emulated, make, ends, traits: &[] }
}

pub(super) const ROWS: &[Row] = &[
    is(
        "medium",
        "emulated-write-error",
        |_, _| vec![set("board/config/disk/blkdebug", json!(WRITE_ERROR))],
        &[("medium", &["writing", "written"])],
    ),
    is(
        "cut",
        "emulator-killed",
        |rng, _| {
            later(rng, &["bootloader", "target", "compare", "write", "commit", "verify"], Act::EmulatorGone)
        },
        &[
            (
                "infrastructure",
                &["qemu", "emulator", "power", "reset", "closed", "silent", "no answer", "does not answer"],
            ),
            ("board", &["reset", "power", "within", "no answer", "does not answer", "nothing"]),
        ],
    ),
];

/// Every write to the disk fails.
const WRITE_ERROR: &str =
    "[inject-error]\nevent = \"pwritev\"\niotype = \"write\"\nerrno = \"5\"\nonce = \"off\"\n";

fn via_emulated(case: &Case) -> bool {
    case.via == Via::Emulated
}
