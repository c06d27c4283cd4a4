//! Faults of the medium, and of what tells of it.

use serde_json::{Value, json};

use super::row::{Row, Trait, set, simulated};
use crate::case::{Case, Effect, End, MEDIUM, Via};

type Make = fn(&mut fastrand::Rng, &Case) -> Vec<Effect>;

const LIES: &[Trait] = &[Trait::MediumLies];

const WRITING: &[End] = &[("medium", &["writing", "written"])];
const READING: &[End] = &[("medium", &["cannot be read", "read", "holds less"])];
const DIFFERS: &[End] = &[("medium", &["differ", "holds less"])];
const SPOILED: &[End] = &[
    ("medium", &["differ", "holds less"]),
    ("infrastructure", &["differ", "arrive", "transfer", "loaded", "memory"]),
];

const fn is(name: &'static str, make: Make, ends: &'static [End]) -> Row {
    Row { name, group: "medium", fits: simulated, make, ends, traits: &[] }
}

const fn of_linux(name: &'static str, make: Make, ends: &'static [End]) -> Row {
    Row { fits: via_linux, traits: LIES, ..is(name, make, ends) }
}

const fn of_uboot(name: &'static str, make: Make, ends: &'static [End]) -> Row {
    Row { fits: via_uboot, traits: LIES, ..is(name, make, ends) }
}

pub(super) const ROWS: &[Row] = &[
    is("disk-full", |rng, case| knob("full_at", json!(within(rng, case) / 512 * 512)), WRITING),
    is("write-error", |rng, case| knob("write_error", json!(within(rng, case) / 512 * 512)), WRITING),
    is("read-error", |rng, case| knob("read_error_at", json!(within(rng, case))), READING),
    Row {
        traits: LIES,
        ..is(
            "bit-flipped-always",
            |rng, case| {
                let offset = within(rng, case);
                knob("flip_bit", json!({ "offset": offset, "mask": 1 << rng.u8(..8) }))
            },
            DIFFERS,
        )
    },
    is(
        "bit-flipped-once",
        |rng, case| {
            let offset = within(rng, case);
            knob("flip_bit", json!({ "offset": offset, "mask": 1 << rng.u8(..8), "times": rng.u8(1..3) }))
        },
        DIFFERS,
    ),
    Row { traits: LIES, ..is("holds-less-and-wraps", |rng, _| real_size(rng, "wrap"), DIFFERS) },
    Row { traits: LIES, ..is("holds-less-and-drops", |rng, _| real_size(rng, "drop"), DIFFERS) },
    is(
        "power-cut-in-write",
        |rng, case| knob("cut_power_after_bytes", json!(within(rng, case))),
        &[
            (
                "infrastructure",
                &[
                    "stands still",
                    "power",
                    "reset",
                    "closed",
                    "no answer",
                    "does not answer",
                    "nothing",
                    "silent",
                ],
            ),
            ("board", &["reset", "power", "no answer", "within", "nothing", "does not answer"]),
        ],
    ),
    Row {
        fits: |case| case.via == Via::Linux,
        ..is("dd-stuck", |_, _| knob("dd_stuck", json!(true)), &[("infrastructure", &["stands still"])])
    },
    is("medium-slow", |rng, _| knob("slow", json!(rng.u64(2_000_000..8_000_000))), &[]),
    of_linux("linux-writes-lost", |_, _| in_linux("lost_writes", json!(true)), DIFFERS),
    of_linux("linux-reads-stale", |_, _| in_linux("stale_reads", json!(true)), DIFFERS),
    of_linux(
        "linux-read-flipped",
        |rng, case| {
            let offset = within(rng, case);
            in_linux("flip_read", json!({ "offset": offset, "mask": 1 << rng.u8(..8) }))
        },
        DIFFERS,
    ),
    of_linux(
        "linux-read-flipped-once",
        |rng, case| {
            let offset = within(rng, case);
            in_linux(
                "flip_read",
                json!({ "offset": offset, "mask": 1 << rng.u8(..8), "times": rng.u8(1..3) }),
            )
        },
        DIFFERS,
    ),
    Row {
        traits: &[],
        ..of_linux(
            "medium-read-only",
            |_, _| in_linux("read_only", json!(true)),
            &[("medium", &["permission denied", "read-only", "writing"])],
        )
    },
    of_uboot("uboot-writes-lost", |_, _| in_uboot("lost_writes", json!(true)), DIFFERS),
    of_uboot("uboot-writes-lost-at-first", |rng, _| in_uboot("lost_writes", json!(rng.u8(1..3))), DIFFERS),
    of_uboot("uboot-reads-stale", |_, _| in_uboot("stale_reads", json!(true)), DIFFERS),
    of_uboot("uboot-reads-stale-at-first", |rng, _| in_uboot("stale_reads", json!(rng.u8(1..3))), DIFFERS),
    of_uboot(
        "uboot-read-flipped",
        |rng, case| {
            let offset = within(rng, case);
            in_uboot("flip_read", json!({ "offset": offset, "mask": 1 << rng.u8(..8) }))
        },
        DIFFERS,
    ),
    of_uboot(
        "uboot-read-flipped-once",
        |rng, case| {
            let offset = within(rng, case);
            in_uboot("flip_read", json!({ "offset": offset, "mask": 1 << rng.u8(..8), "times": 1 }))
        },
        DIFFERS,
    ),
    of_uboot("uboot-load-flipped", |rng, case| in_uboot("flip_load_at", json!(within(rng, case))), SPOILED),
    of_uboot("uboot-send-flipped", |rng, case| in_uboot("flip_put_at", json!(within(rng, case))), SPOILED),
    of_uboot("uboot-write-fails", |rng, _| in_uboot("write_error_after", json!(rng.u32(1..3000))), WRITING),
];

fn via_linux(case: &Case) -> bool {
    case.via == Via::Linux
}

fn via_uboot(case: &Case) -> bool {
    case.via == Via::Uboot
}

/// A place in the image.
fn within(rng: &mut fastrand::Rng, case: &Case) -> usize {
    rng.usize(..case.image.len())
}

fn knob(name: &'static str, value: Value) -> Vec<Effect> {
    vec![set("board/config/faults", json!({ name: value }))]
}

fn in_linux(name: &'static str, value: Value) -> Vec<Effect> {
    vec![set("board/config/faults/linux", json!({ name: value }))]
}

fn in_uboot(name: &'static str, value: Value) -> Vec<Effect> {
    vec![set("board/config/faults/uboot", json!({ name: value }))]
}

fn real_size(rng: &mut fastrand::Rng, beyond: &str) -> Vec<Effect> {
    let bytes = rng.usize(MEDIUM / 8..MEDIUM) / 65_536 * 65_536;
    knob("real_size", json!({ "bytes": bytes, "beyond": beyond }))
}
