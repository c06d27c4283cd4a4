//! Draws a case from a seed: the same seed gives the same case.

use fastrand::Rng;

use crate::case::{Case, Choice, Effect, Image, MEDIUM, Old, ServerAnswer, Source, Via};
use crate::{faults, personality};

const PACKERS: &[Option<&str>] =
    &[None, None, None, Some("gzip"), Some("xz"), Some("zstd"), Some("bzip2"), Some("lz4")];

/// The case of this seed.
pub(crate) fn draw(seed: u64) -> Case {
    // Seeds in a row must not give cases that are alike.
    let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let via = via(&mut rng);
    let source = source(&mut rng, via);
    let mut case = Case {
        seed,
        via,
        personality: personality::draw(&mut rng, via),
        image: image(&mut rng),
        old: *rng.choice(&[Old::Other, Old::Plain, Old::Almost]).unwrap_or(&Old::Other),
        source,
        options: Vec::new(),
        retries: rng.u32(..3),
        faults: Vec::new(),
    };
    case.options = options(&mut rng, &case);
    case.faults = faults::draw(&mut rng, &case);
    // Each attempt waits long for a silent source. What is tried is how that ends, and not for how long.
    if case.effects().any(is_silent_source) && !case.has("deadline") {
        case.options.push(deadline());
    }
    case
}

fn via(rng: &mut Rng) -> Via {
    match rng.u8(..60) {
        0..=30 => Via::Linux,
        31..=50 => Via::Uboot,
        51..=58 => Via::Host,
        // Emulators are slow, and one runs at a time.
        _ => Via::Emulated,
    }
}

fn source(rng: &mut Rng, via: Via) -> Source {
    match rng.u8(..10) {
        0..=4 => Source::File,
        // An emulated board's network is one of its own, where the server is not.
        5..=8 if via == Via::Emulated => Source::File,
        5..=8 => Source::Server { parts: rng.bool() },
        _ => Source::Pipe,
    }
}

/// The source goes on without a byte more, and without an end.
fn is_silent_source(effect: &Effect) -> bool {
    match effect {
        Effect::Answers(answers) => answers.iter().any(|answer| matches!(answer, ServerAnswer::SilentAt(_))),
        Effect::Pipe { closes, .. } => !closes,
        _ => false,
    }
}

fn deadline() -> Choice {
    Choice { name: "deadline", words: ["--deadline", "90s"].map(str::to_owned).to_vec() }
}

fn image(rng: &mut Rng) -> Image {
    let count = rng.usize(1..6);
    let mut stretches: Vec<usize> = (0..count).map(|_| rng.usize(1_000..600_000)).collect();
    // What a boot loader writes by itself is read here in pieces of the first block.
    stretches[0] += 70_000;
    if rng.u8(..12) == 0 {
        // Exactly as long as the medium.
        let others: usize = stretches.iter().sum();
        stretches[0] += MEDIUM - others.min(MEDIUM);
    }
    Image { stretches, packed: rng.choice(PACKERS).copied().flatten() }
}

fn options(rng: &mut Rng, case: &Case) -> Vec<Choice> {
    let mut options = Vec::new();
    let mut add = |name, words: &[&str]| {
        options.push(Choice { name, words: words.iter().map(|&word| word.to_owned()).collect() });
    };
    match rng.u8(..8) {
        0 => add("compare-always", &["--compare", "always"]),
        1 | 2 => add("compare-never", &["--compare", "never"]),
        _ => {}
    }
    // Raw data from a pipe may not be cut unseen.
    if case.source == Source::Pipe || rng.u8(..4) == 0 {
        add("sha256", &["--sha256", "@SHA256@"]);
    }
    match rng.u8(..12) {
        0 => add("verify-mapped", &["--verify", "mapped"]),
        1 => add("verify-off", &["--verify", "off"]),
        _ => {}
    }
    if case.source != Source::Pipe && rng.u8(..6) == 0 {
        add("check-first", &["--check-first"]);
    }
    if rng.u8(..8) == 0 {
        add("no-cache", &["--no-cache"]);
    }
    // An emulated board is a process of its exporter, and ends with it.
    if rng.u8(..8) == 0 && case.via != Via::Emulated {
        add("stays-on", &["--no-power-off"]);
    }
    if rng.u8(..4) == 0 {
        add("deadline", &["--deadline", "90s"]);
    }
    if case.via == Via::Linux && rng.u8(..6) == 0 {
        add("target-usd", &["--target", "usd"]);
    }
    if case.via == Via::Linux && case.personality.name != "no-unpackers" && rng.u8(..5) == 0 {
        let wires = ["identity", "gzip", "zstd"];
        add("wire", &["--wire", wires[rng.usize(..wires.len())]]);
    }
    if rng.u8(..10) == 0 {
        add("transcript", &["--transcript", "console.log"]);
    }
    let is_served = matches!(case.source, Source::Server { .. });
    let is_drawn = case.via == Via::Linux && is_served && rng.u8(..8) == 0;
    // What is refused together with it, and what the board cannot unpack.
    let is_refused = |choice: &Choice| ["compare-always", "wire"].contains(&choice.name);
    let can_unpack = case.image.packed != Some("lz4") && case.personality.name != "no-unpackers";
    if is_drawn && can_unpack && !options.iter().any(is_refused) {
        options.push(Choice { name: "direct", words: vec!["--direct".to_owned()] });
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_case_and_another_seed_another() {
        for seed in 0..200 {
            assert_eq!(format!("{:?}", draw(seed)), format!("{:?}", draw(seed)));
            assert!(!draw(seed).faults.is_empty(), "{seed}");
        }
        let different: std::collections::BTreeSet<String> =
            (0..200).map(|seed| draw(seed).describe()).collect();
        let silent = (0..).map(draw).find(|case| case.effects().any(is_silent_source)).unwrap();
        assert!(silent.has("deadline"), "{}", silent.describe());
        assert!(different.len() > 190, "{}", different.len());
    }
}
