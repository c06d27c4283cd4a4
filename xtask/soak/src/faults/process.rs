//! Signals to the program itself.

use std::time::Duration;

use rustix::process::Signal;

use super::row::{Row, any, later};
use crate::act::Act;
use crate::case::{Case, Effect, End};

const STEPS: &[&str] = &[
    "resolve",
    "image",
    "plan",
    "services",
    "power",
    "bootloader",
    "shell",
    "target",
    "compare",
    "write",
    "commit",
    "verify",
    "finish",
];
/// Seconds: an hour, a day, ten years, forward and back.
const JUMPS: &[i64] = &[3600, -3600, 86_400, -86_400, 315_360_000, -315_360_000];
const STOPPED: &[End] = &[("interrupted", &["stopped", "interrupted", "sigint", "sigterm", "sighup", "^c"])];

const fn is(name: &'static str, make: fn(&mut fastrand::Rng, &Case) -> Vec<Effect>) -> Row {
    Row { name, group: "process", fits: any, make, ends: STOPPED, traits: &[] }
}

pub(super) const ROWS: &[Row] = &[
    is("sigint", |rng, _| signals(rng, &[Signal::INT])),
    is("sigterm", |rng, _| signals(rng, &[Signal::TERM])),
    is("sighup", |rng, _| signals(rng, &[Signal::HUP])),
    is("sigint-twice", |rng, _| signals(rng, &[Signal::INT, Signal::INT])),
    Row {
        ends: &[],
        ..is("stopped-and-continued", |rng, _| {
            let act = Act::Signals(vec![
                (Duration::ZERO, Signal::STOP),
                (Duration::from_millis(rng.u64(100..2500)), Signal::CONT),
            ]);
            later(rng, STEPS, act)
        })
    },
    Row {
        group: "clock",
        ends: &[],
        ..is("clock-jumps", |rng, _| {
            let far = *rng.choice(JUMPS).unwrap_or(&86_400);
            later(rng, STEPS, Act::ClockJumps(far))
        })
    },
    is("sigkill", |rng, _| signals(rng, &[Signal::KILL])),
];

fn signals(rng: &mut fastrand::Rng, signals: &[Signal]) -> Vec<Effect> {
    let with_pauses = signals.iter().enumerate();
    let signals =
        with_pauses.map(|(number, signal)| (Duration::from_millis(rng.u64(..200) * number as u64), *signal));
    let act = Act::Signals(signals.collect());
    later(rng, STEPS, act)
}
