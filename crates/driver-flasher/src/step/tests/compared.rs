//! Media that hold some of an image already: nothing that differs is ever taken for equal.

use flasher_core::flash::{Compare, CompareFacts};
use flasher_core::testing::media;

use super::*;

/// Length of the image, bytes: several pieces, the last one odd.
const LENGTH: usize = 3 * MIB + 70_001;
/// Mutations in the suite; `FLASHER_SOAK_MUTATIONS` says another number.
const MUTATIONS: u64 = 200;

/// An image with data and more than a MiB of zeros.
fn image() -> Vec<u8> {
    let mut image = content();
    image.truncate(LENGTH);
    image[3 * MIB..].iter_mut().enumerate().for_each(|(at, byte)| *byte = at as u8);
    image
}

/// What came of flashing a medium.
struct Flashed {
    memory: Memory,
    facts: Option<CompareFacts>,
    proven: Result<Vec<Proof>>,
}

async fn put(image: &Path, memory: Memory, how: Compare) -> Flashed {
    let flasher = flasher();
    let job = FlashJob { compare: Some(how), ..FlashJob::new(image.display().to_string()) };
    let run = Run::new(JobKind::Flash, &job, Arc::new(Quiet));
    let session = Session { flasher: &flasher, job: &job, run: &run, purpose: Purpose::Flash };
    let mut memory = memory;
    let proven = flash(session, image, &mut memory).await;
    let facts = run.record.medium_now().and_then(|medium| medium.compare);
    Flashed { memory, facts, proven }
}

/// One medium: it ends as the image, whatever it held, and what is untouched held it before.
async fn check(path: &Path, image: &[u8], seed: u64) {
    let (bytes, what) = media::changed(image, 8 * MIB, seed);
    let was_equal = bytes[..image.len()] == *image;
    let memory = Memory { bytes, ..Memory::new(0, (usize::MAX, 0)) };
    let Flashed { memory, facts, proven } = put(path, memory, Compare::Auto).await;
    assert_eq!(proven.unwrap()[0].length, image.len() as u64, "seed {seed}: {what}");
    assert!(memory.bytes[..image.len()] == *image, "seed {seed}: {what}: a false success");
    assert!(memory.bytes[image.len()..].iter().all(|byte| *byte == media::OTHER), "seed {seed}: {what}");
    assert_eq!(memory.done.is_empty(), was_equal, "seed {seed}: {what}: {:?}", memory.done);
    let facts = facts.unwrap();
    assert_eq!(facts.compared, image.len() as u64, "seed {seed}");
    assert_eq!((facts.equal == facts.compared, facts.written == 0), (was_equal, was_equal), "seed {seed}");
    assert_eq!(facts.read_again, if was_equal { 0 } else { image.len() as u64 }, "seed {seed}");
    if !was_equal {
        let first = [Done::Fill { offset: 0, length: BLOCK }, Done::Flush];
        assert_eq!(memory.done[..2], first, "seed {seed}: {what}: the first block is spoiled first");
        let last = Some(&Done::Write { offset: 0, length: BLOCK });
        assert_eq!(memory.done.last(), last, "seed {seed}: {what}: the first block is last");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_differs_is_taken_for_equal() {
    let folder = tempfile::tempdir().unwrap();
    let (path, image) = (folder.path().join("os.img"), image());
    std::fs::write(&path, &image).unwrap();
    let count = std::env::var("FLASHER_SOAK_MUTATIONS").ok().map(|count| count.parse::<u64>().unwrap());
    for seed in 0..count.unwrap_or(MUTATIONS) {
        check(&path, &image, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_medium_that_changes_after_the_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let (path, image) = (folder.path().join("os.img"), image());
    std::fs::write(&path, &image).unwrap();
    // One piece differs, and a byte of another changes right after everything was compared.
    let (bytes, _) = media::changed(&image, 8 * MIB, 3);
    let memory = Memory { bytes, fades: Some((2 * MIB + 5, 1)), ..Memory::new(0, (usize::MAX, 0)) };
    let Flashed { memory, facts, proven } = put(&path, memory, Compare::Auto).await;
    proven.unwrap();
    assert!(memory.bytes[..image.len()] == image, "a false success");
    assert_eq!(facts.unwrap().read_again, 2 * image.len() as u64, "everything was read back twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_decides_and_proves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("os.img");
    let length = 80 * MIB;
    let image: Vec<u8> = (0..length).map(|at| (at / 251 + at % 253) as u8).collect();
    std::fs::write(&path, &image).unwrap();
    let held = |equal: usize, last: bool| {
        let mut bytes = vec![0xa5; length + MIB];
        bytes[..equal].copy_from_slice(&image[..equal]);
        if last {
            bytes[length - MIB..length].fill(0);
        }
        Memory { bytes, ..Memory::new(0, (usize::MAX, 0)) }
    };
    // How much of the medium is equal, and whether all of it is compared.
    for (equal, last, how, is_whole) in [
        (length, false, Compare::Auto, true),
        // All but the last MiB is there: a sample hardly shows it.
        (length, true, Compare::Auto, true),
        (length * 3 / 4, false, Compare::Auto, true),
        (length / 4, false, Compare::Auto, false),
        (0, false, Compare::Auto, false),
        (0, false, Compare::Always, true),
        (length, false, Compare::Never, false),
    ] {
        let what = format!("{} MiB, {last}, {how:?}", equal / MIB);
        let Flashed { memory, facts, proven } = put(&path, held(equal, last), how).await;
        proven.unwrap();
        assert!(memory.bytes[..length] == image, "{what}: a false success");
        let facts = facts.unwrap_or_default();
        assert_eq!(facts.compared > 0, is_whole, "{what}: {facts:?}");
        assert_eq!(facts.skipped.is_some(), !is_whole && how != Compare::Never, "{what}: {facts:?}");
        assert_eq!(facts.sample.is_some(), how == Compare::Auto, "{what}: {facts:?}");
        let is_all = equal == length && !last && how != Compare::Never;
        assert_eq!(memory.done.is_empty(), is_all, "{what}");
    }
}
