//! Media that hold some of an image already: what is there is not written, and nothing that is not there is taken for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use board_sim::SimBoard;
use driver_flasher::{BaseFlasher, FlasherConfig};
use flasher_core::flash::{Compare, CompareFacts};
use flasher_core::source::CacheChoice;
use flasher_core::testing::media;
use flasher_core::{Device, DriverType, Event, FlashJob, Receipt, Verdict, Wiring};
use serde_json::json;

use crate::lab::{Lab, MEDIUM, noise, sample};

/// What a job may write beyond the image, bytes: a window of the network, and the first block of each attempt.
const WINDOW: u64 = 2 << 20;

/// What came of a flash.
pub(crate) struct Flashed {
    pub(crate) receipt: Receipt,
    events: Vec<Event>,
    /// Bytes that the board has written.
    pub(crate) written: u64,
}

impl Flashed {
    pub(crate) fn facts(&self) -> CompareFacts {
        self.receipt.medium.as_ref().and_then(|medium| medium.compare.clone()).unwrap_or_default()
    }

    /// Ends as the image, and what its events and its receipt say is so.
    pub(crate) fn must_be_proven(&self, lab: &Lab, content: &[u8], what: &str) {
        assert_eq!(self.receipt.verdict, Verdict::Proven, "{what}: {:#?}", self.receipt.failure);
        assert!(lab.medium()[..content.len()] == *content, "{what}: a false success");
        let told = self.events.iter().find_map(|event| match event {
            Event::AlreadyThere { equal, compared } => Some((*equal, *compared)),
            _ => None,
        });
        let facts = self.facts();
        assert_eq!(told.is_some(), facts.compared > 0, "{what}");
        let read: Receipt = serde_json::from_str(&serde_json::to_string(&self.receipt).unwrap()).unwrap();
        flasher_core::flash::audit::audit(&read).unwrap_or_else(|flaw| panic!("{what}: {flaw}"));
    }
}

/// Flashes on a board whose writes are counted. `faults` and `flasher` are further config.
async fn flash(lab: &Lab, job: FlashJob, faults: serde_json::Value, flasher: serde_json::Value) -> Flashed {
    flash_on(lab, job, &json!({"faults": faults}), &flasher).await
}

/// The same with any further config of the board.
pub(crate) async fn flash_on(
    lab: &Lab,
    job: FlashJob,
    board: &serde_json::Value,
    flasher: &serde_json::Value,
) -> Flashed {
    let tree = exporter_yaml::load(&lab.exporter()).unwrap_or_else(|findings| panic!("{findings}"));
    let mut config = json!({"medium": lab.path("medium"), "size": lab.size, "bootdelay": 3});
    config.as_object_mut().unwrap().extend(board.as_object().unwrap().clone());
    let board = SimBoard::new(serde_json::from_value(config).unwrap());
    let server = |name: &str| (name.to_owned(), tree.find(&format!("storage.{name}")).unwrap());
    let children = BTreeMap::from([
        ("power".to_owned(), Device::Power(board.power(), None)),
        ("serial".to_owned(), Device::Serial(board.serial())),
        server("tftp"),
        server("http"),
        server("uboot"),
    ]);
    let mut config = json!({"power_off_seconds": 0.1});
    config.as_object_mut().unwrap().extend(flasher.as_object().unwrap().clone());
    let config: FlasherConfig = serde_json::from_value(config).unwrap();
    let wiring = Wiring::new("storage", lab.path("").as_path(), children);
    let Device::Flasher(flasher) = BaseFlasher::build(config, wiring).unwrap() else { panic!("no flasher") };
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let receipt = flasher.flash(job, Arc::new(move |event| seen.lock().unwrap().push(event))).await;
    tree.close().await.unwrap();
    let written = board.counters().written_bytes;
    let events = std::mem::take(&mut *events.lock().unwrap());
    Flashed { receipt, events, written }
}

/// The ways to the medium of this board.
pub(crate) fn ways() -> [(&'static str, serde_json::Value); 2] {
    [
        ("linux", json!({"flasher_bundle": "./bundle"})),
        ("uboot", json!({"via": "uboot", "targets": {"emmc": "mmc 0"}})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_image_again_writes_nothing() {
    let content = sample();
    for (way, config) in ways() {
        let lab = Lab::new("");
        let image = lab.image(&content, None);
        let first = flash(&lab, lab.job(&image), json!({}), config.clone()).await;
        first.must_be_proven(&lab, &content, way);
        assert_eq!((first.facts().equal, first.written > 0), (0, true), "{way}");
        let again = flash(&lab, lab.job(&image), json!({}), config.clone()).await;
        again.must_be_proven(&lab, &content, way);
        let (facts, all) = (again.facts(), content.len() as u64);
        assert_eq!((facts.compared, facts.equal, facts.written, facts.read_again), (all, all, 0, 0), "{way}");
        assert_eq!(again.written, 0, "{way}");
        assert!(again.receipt.medium.unwrap().ranges.iter().all(|range| range.held && range.writes == 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_differs_is_written() {
    let (content, place) = (noise(6_000_000, 3), 2_500_000);
    for (way, config) in ways() {
        let lab = Lab::new("");
        let mut medium = vec![0xa5; MEDIUM];
        medium[..content.len()].copy_from_slice(&content);
        medium[place] ^= 1;
        std::fs::write(lab.path("medium"), medium).unwrap();
        let flashed = flash(&lab, lab.job(&lab.image(&content, None)), json!({}), config).await;
        flashed.must_be_proven(&lab, &content, way);
        let facts = flashed.facts();
        // A boot loader is asked for larger pieces, here the first but for its first block.
        let differs = if way == "uboot" { 4 << 20 } else { (1 << 20) + (64 << 10) };
        assert_eq!((facts.written, facts.read_again), (differs, content.len() as u64), "{way}: {facts:?}");
        assert!(flashed.written >= differs && flashed.written < differs + (256 << 10), "{way}");
    }
}

/// One medium: it ends as the image, whatever it held, and is not written where it held the image.
async fn check_changed(content: &[u8], seed: u64) {
    let (way, config) = ways()[seed as usize % 2].clone();
    let lab = Lab::new("");
    // Seeds that have the same way go through all that can happen, too.
    let (medium, what) = media::changed(content, MEDIUM, seed / 2);
    let was_equal = medium[..content.len()] == *content;
    std::fs::write(lab.path("medium"), medium).unwrap();
    let flashed = flash(&lab, lab.job(&lab.image(content, None)), json!({}), config).await;
    let what = format!("seed {seed}, {way}: {what}");
    flashed.must_be_proven(&lab, content, &what);
    let facts = flashed.facts();
    assert_eq!((flashed.written == 0, facts.written == 0), (was_equal, was_equal), "{what}: {facts:?}");
    let rest = &lab.medium()[content.len()..];
    assert!(rest.iter().all(|byte| *byte == media::OTHER), "{what}: written behind the image");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_changed_medium_is_taken_for_the_image() {
    let content = Arc::new(noise((1 << 20) + 70_001, 9));
    let first = soaked("FLASHER_SOAK_FIRST").unwrap_or(0);
    let count = soaked("FLASHER_SOAK_MUTATIONS").unwrap_or(24);
    several_at_once(first..first + count, move |seed| {
        let content = Arc::clone(&content);
        async move { check_changed(&content, seed).await }
    })
    .await;
}

/// One cut somewhere in the writing: the job goes on from what is right.
async fn check_cut(content: &[u8], seed: u64) {
    let pack = [None, Some("gzip")][seed as usize / 2 % 2];
    let (way, config) = ways()[(seed as usize + 1) % 2].clone();
    let lab = Lab::new("");
    let after = (seed * 2_654_435_761) % (content.len() as u64 - 600_000) + 300_000;
    let faults = json!({"cut_power_after_bytes": after, "heals_after": 1});
    let job = FlashJob { retries: 2, ..lab.job(&lab.image(content, pack)) };
    let flashed = flash(&lab, job, faults, config).await;
    let what = format!("{way}, {pack:?}, cut after {after} bytes");
    flashed.must_be_proven(&lab, content, &what);
    assert_eq!(flashed.receipt.attempts, 2, "{what}");
    let most = content.len() as u64 * 11 / 10 + if way == "uboot" { 4 << 20 } else { WINDOW };
    assert!(flashed.written <= most, "{what}: {} bytes were written", flashed.written);
    // Pieces are compared whole, and the cut came in the middle of one.
    let is_some = after > if way == "uboot" { 5 << 20 } else { 2 << 20 };
    assert!(!is_some || flashed.facts().equal > 0, "{what}: {:?}", flashed.facts());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_on_after_power_cuts() {
    // Its noise does not pack, so that all of it travels.
    let content = Arc::new(noise(8 << 20, 5));
    let count = soaked("FLASHER_SOAK_CUTS").unwrap_or(4);
    several_at_once(1..count + 1, move |seed| {
        let content = Arc::clone(&content);
        async move { check_cut(&content, seed).await }
    })
    .await;
}

/// How many a soak asks for.
fn soaked(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|count| count.parse().unwrap())
}

/// Plays all seeds, a few at a time: most of a flash is waiting.
async fn several_at_once<F>(seeds: std::ops::Range<u64>, play: impl Fn(u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut playing = tokio::task::JoinSet::new();
    for seed in seeds {
        if playing.len() == 6 {
            playing.join_next().await.unwrap().unwrap();
        }
        playing.spawn(play(seed));
    }
    while let Some(ended) = playing.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_in_the_cache_that_was_changed_proves_nothing() {
    let (content, other) = (noise(3_000_000, 1), noise(3_000_000, 2));
    let lab = Lab::new("");
    let image = lab.image(&content, Some("gzip"));
    tokio::time::sleep(Duration::from_secs(1)).await; // a file that was only just written is not looked for
    let cache = CacheChoice { folder: lab.path("cache"), limit: 1 << 30 };
    let job = || {
        let mut job = FlashJob { retries: 1, ..lab.job(&image) };
        job.source.cache = Some(cache.clone());
        job
    };
    let linux = ways()[0].1.clone();
    flash(&lab, job(), json!({}), linux.clone()).await.must_be_proven(&lab, &content, "first");
    // The medium and the copy hold the same, and it is not the image.
    let copies = std::fs::read_dir(&cache.folder).unwrap().map(|entry| entry.unwrap().path());
    let copies: Vec<_> = copies.filter(|path| path.extension().is_some_and(|end| end == "img")).collect();
    assert_eq!(copies.len(), 1);
    std::fs::write(&copies[0], &other).unwrap();
    let mut medium = lab.medium();
    medium[..other.len()].copy_from_slice(&other);
    std::fs::write(lab.path("medium"), medium).unwrap();
    let flashed = flash(&lab, job(), json!({}), linux).await;
    flashed.must_be_proven(&lab, &content, "changed");
    assert_eq!(flashed.receipt.attempts, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_proves_nothing() {
    const SAMPLE: usize = 64 << 20;
    const MEDIUM: usize = SAMPLE + (8 << 20);
    let content = noise(SAMPLE + (4 << 20), 5);
    let mut lab = Lab::new("");
    lab.size = MEDIUM;
    let image = lab.image(&content, None);
    // A bit that differs is found in the sample and beside it.
    for changed in [None, Some(0), Some(content.len() / 2), Some(content.len() - 1)] {
        let mut medium = content.clone();
        medium.resize(MEDIUM, 0xa5);
        changed.into_iter().for_each(|at| medium[at] ^= 1);
        std::fs::write(lab.path("medium"), medium).unwrap();
        let flashed = flash(&lab, lab.job(&image), json!({}), ways()[0].1.clone()).await;
        let what = format!("changed at {changed:?}");
        flashed.must_be_proven(&lab, &content, &what);
        assert_eq!(flashed.facts().compared, content.len() as u64, "{what}");
        assert_eq!(flashed.written > 0, changed.is_some(), "{what}");
        let sample = flashed.facts().sample.unwrap();
        assert!(sample.equal > 0 && sample.compared >= 16 << 20, "{what}: {sample:?}");
        assert!(changed.is_some() || sample.compared == 16 << 20, "all equal, and more was read: {sample:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_compared_is_the_users_choice() {
    let content = sample();
    for (how, packed, is_compared) in [
        (Some(Compare::Never), None, false),
        (Some(Compare::Always), None, true),
        (Some(Compare::Always), Some("gzip"), true),
        (Some(Compare::Auto), Some("gzip"), false),
        (None, Some("gzip"), false),
        (None, None, true),
    ] {
        let lab = Lab::new("");
        let mut medium = vec![0xa5; MEDIUM];
        medium[..content.len()].copy_from_slice(&content);
        std::fs::write(lab.path("medium"), medium).unwrap();
        let job = FlashJob { compare: how, ..lab.job(&lab.image(&content, packed)) };
        let flashed = flash(&lab, job, json!({}), ways()[0].1.clone()).await;
        let what = format!("{how:?} {packed:?}");
        flashed.must_be_proven(&lab, &content, &what);
        assert_eq!(flashed.written == 0, is_compared, "{what}");
        let facts = flashed.facts();
        let skipped = facts.skipped.as_deref();
        let expected =
            (how != Some(Compare::Never) && !is_compared).then_some("the image is not at hand unpacked");
        assert_eq!(skipped, expected, "{what}");
    }
}
