//! What of a sample must stay: its words. Numbers, digests, names of temporary files and columns differ from run to run.

use regex::Regex;

/// Lines that a run may have or not have: what a step tells while it runs, facts that were measured, the last lines of a console,
/// and what differs from machine to machine.
const PASSING: [&str; 4] = [
    r"^\[[^\]]*\]   ",
    r"this machine has| free for ",
    r"^\W*(there|written|read back|rate|clock) ",
    r"^ {5}\| ",
];

/// What is replaced, in this order.
const REPLACED: [(&str, &str); 6] = [
    (r"flasher-(demo|job)-\w+", "flasher-$1"),
    (r"\b(0x)?[0-9a-f]{8,}\b", "N"),
    (r"\d+([.:T-]\d+)*Z?", "N"),
    (r"N (KiB|MiB|GiB|bytes)\b", "N bytes"),
    (r"N (ms|s|min|h)\b", "N s"),
    (r"[ ─-]+", " "),
];

/// The text without what differs from run to run.
pub(crate) fn of(text: &str) -> String {
    let passing = PASSING.map(|it| Regex::new(it).unwrap());
    let lines = text.lines().filter(|line| !passing.iter().any(|it| it.is_match(line)));
    let kept: Vec<&str> = lines.collect();
    REPLACED.iter().fold(kept.join("\n"), |text, (what, with)| {
        Regex::new(what).unwrap().replace_all(&text, *with).into_owned()
    })
}

#[test]
fn what_differs_from_run_to_run_is_no_difference() {
    let one = "[   0.4 s]   tftp flasher-job-a91c61f2073d/kernel to 127.0.0.1: 64 KiB in 0.0 s\n\
               [   1.4 s]   1 MiB of 8 MiB (12 %)\nproven  8 MiB in 1.5 s\n  \
               when   2026-11-30T08:55:05.633Z\n";
    let other = "proven  900 KiB in 12 ms\n  when 2027-01-01T00:00:00.000Z\n";
    assert_eq!(of(one), of(other));
    assert_ne!(of("proven  8 MiB in 1.5 s"), of("written  8 MiB in 1.5 s"));
}
