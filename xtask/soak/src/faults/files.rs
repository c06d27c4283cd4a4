//! Faults of files that are in use: the image, the cache, the bundle.

use super::row::{Row, any, later};
use crate::act::Act;
use crate::case::{BundleFault, Case, Effect, Source, Via};

const CHANGED: &[&str] = &[
    "changed while in use",
    "not the same any more",
    "does not exist",
    "cannot be read",
    "another digest",
    "shorter",
    "truncated",
];
const STEPS: &[&str] =
    &["plan", "power", "bootloader", "shell", "target", "compare", "write", "commit", "verify"];

const fn on_disk(name: &'static str, make: fn(&mut fastrand::Rng, &Case) -> Vec<Effect>) -> Row {
    Row { name, group: "source", fits: from_file, make, ends: &[("source", CHANGED)], traits: &[] }
}

const fn of_cache(name: &'static str, make: fn(&mut fastrand::Rng, &Case) -> Vec<Effect>) -> Row {
    Row { name, group: "cache", fits: any, make, ends: &[], traits: &[] }
}

const fn of_bundle(
    name: &'static str,
    make: fn(&mut fastrand::Rng, &Case) -> Vec<Effect>,
    words: &'static [(&'static str, &'static [&'static str])],
) -> Row {
    Row { name, group: "bundle", fits: with_bundle, make, ends: words, traits: &[] }
}

pub(super) const ROWS: &[Row] = &[
    on_disk("image-removed-in-use", |rng, _| later(rng, STEPS, Act::ImageGone)),
    on_disk("image-shortened-in-use", |rng, _| later(rng, STEPS, Act::ImageShorter)),
    on_disk("image-overwritten-in-use", |rng, _| later(rng, STEPS, Act::ImageReplaced)),
    on_disk("image-renamed-over-in-use", |rng, _| later(rng, STEPS, Act::ImageRenamed)),
    of_cache("cache-removed-in-use", |rng, _| later(rng, STEPS, Act::CacheGone)),
    of_cache("cache-bit-flipped-in-use", |rng, _| later(rng, STEPS, Act::CacheFlipped)),
    of_cache("cache-on-full-disk", |rng, _| vec![Effect::SmallCache(rng.u64(4096..2_000_000))]),
    of_bundle(
        "kernel-missing",
        |_, _| vec![Effect::Bundle(BundleFault::KernelMissing)],
        &[("config", &["kernel"])],
    ),
    of_bundle(
        "kernel-empty",
        |_, _| vec![Effect::Bundle(BundleFault::KernelEmpty)],
        &[("config", &["kernel"]), ("infrastructure", &["kernel"]), ("board", &["kernel"])],
    ),
    of_bundle(
        "manifest-cut",
        |_, _| vec![Effect::Bundle(BundleFault::ManifestCut)],
        &[("config", &["manifest"])],
    ),
    of_bundle(
        "manifest-swapped",
        |_, _| vec![Effect::Bundle(BundleFault::ManifestSwapped)],
        &[("config", &["manifest"])],
    ),
    of_bundle(
        "boot-files-removed-in-use",
        |rng, _| later(rng, &["services", "power", "bootloader"], Act::BootFilesGone),
        &[
            ("infrastructure", &["no such file", "not found", "cannot be read", "tftp"]),
            ("config", &["kernel"]),
        ],
    ),
];

fn from_file(case: &Case) -> bool {
    case.source == Source::File
}

fn with_bundle(case: &Case) -> bool {
    case.via == Via::Linux
}
