//! The figures of a bench on the emulated board, and their table: one column per image.

use std::collections::BTreeMap;

use crate::measure::median;

/// Our steps, in their order.
const STEPS: [&str; 13] = [
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
    "verify",
    "commit",
    "finish",
];
/// The script's parts, in their order.
const PARTS: [&str; 4] = ["prompt", "tftp", "login", "write"];
/// Jumpstarter 0.9.0 on an emulated board, whole flash without verification, seconds, for the four images in order.
const REFERENCE: [f64; 4] = [20.7, 22.0, 28.9, 31.9];

/// Seconds of one flash.
pub(super) struct Run {
    /// Of the whole command.
    pub(super) wall: f64,
    /// Of its parts.
    pub(super) parts: BTreeMap<String, f64>,
}

/// All runs of one image.
#[derive(Default)]
pub(super) struct Rounds {
    pub(super) ours: Vec<Run>,
    pub(super) plain: Vec<Run>,
}

/// Medians of each row by itself, so parts need not add up to their total.
pub(super) fn text(all: &[(String, Rounds)], runs: u32) -> String {
    let each =
        |value: &dyn Fn(&Rounds) -> f64| all.iter().map(|(_, rounds)| value(rounds)).collect::<Vec<_>>();
    let ours = each(&|rounds| total(&rounds.ours));
    let plain = each(&|rounds| total(&rounds.plain));
    let mut text =
        format!("\nSeconds, medians of {runs}; an emulated board, each disk empty before:\n{:25}", "");
    for (name, _) in all {
        text += &format!("{name:>13}");
    }
    text += "\n";
    text += &row("ours, proven", &ours, 2);
    for step in STEPS {
        text += &row(&format!("  {step}"), &each(&|rounds| part(&rounds.ours, step)), 2);
    }
    text += &row("plain, unverified", &plain, 2);
    for name in PARTS {
        text += &row(&format!("  {name}"), &each(&|rounds| part(&rounds.plain, name)), 2);
    }
    let ratios: Vec<f64> = ours.iter().zip(&plain).map(|(ours, plain)| ours / plain).collect();
    text += &row("ratio ours / plain", &ratios, 2);
    text += "\nFor scale, measured elsewhere on another day, so no ratio is taken:\n";
    text += &row("Jumpstarter, unverified", &REFERENCE, 1);
    text + "(Jumpstarter 0.9.0, virtio disk, kernel and RAM disk of 44 MB instead of 34, images of other content)\n"
}

fn row(name: &str, values: &[f64], digits: usize) -> String {
    let cells: String = values.iter().map(|value| format!("{value:13.digits$}")).collect();
    format!("{name:25}{cells}\n")
}

fn total(runs: &[Run]) -> f64 {
    median(runs.iter().map(|run| run.wall).collect())
}

/// A part that a run did not have took no time.
fn part(runs: &[Run], name: &str) -> f64 {
    median(runs.iter().map(|run| run.parts.get(name).copied().unwrap_or(0.0)).collect())
}
