//! Partitions that stay: bit for bit as they were, or nothing is written.

use std::io::Write;
use std::process::{Command, Stdio};

use flasher_core::flash::{Compare, KeptPartition};

use super::*;

const SECTORS: usize = 2048;

/// A disk of `mib` MiB with these partitions (label, first MiB, MiB); none without `sfdisk`.
fn disk(mib: usize, parts: &[(&str, usize, usize)], fill: u8) -> Option<Vec<u8>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![fill; mib * MIB]).unwrap();
    let mut script = "label: gpt\n".to_owned();
    for (label, first, length) in parts {
        script += &format!("start={}, size={}, name=\"{label}\"\n", first * SECTORS, length * SECTORS);
    }
    let mut sfdisk = Command::new("sfdisk");
    let sfdisk = sfdisk.args(["--wipe", "never", "--quiet"]).arg(file.path());
    let Ok(mut sfdisk) = sfdisk.stdin(Stdio::piped()).stdout(Stdio::null()).spawn() else {
        println!("skipped: no sfdisk");
        return None;
    };
    sfdisk.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(sfdisk.wait().unwrap().success());
    Some(std::fs::read(file.path()).unwrap())
}

/// What came of a flash that keeps these partitions.
struct Flashed {
    memory: Memory,
    kept: Vec<KeptPartition>,
    proven: Result<Vec<Proof>>,
}

async fn put(image: &[u8], medium: Vec<u8>, labels: &[&str], change: impl FnOnce(&mut FlashJob)) -> Flashed {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("os.img");
    std::fs::write(&path, image).unwrap();
    let mut job = FlashJob {
        keep: labels.iter().map(|label| (*label).to_owned()).collect(),
        ..FlashJob::new(path.display().to_string())
    };
    change(&mut job);
    let (flasher, run) = (flasher(), Run::new(JobKind::Flash, &job, Arc::new(Quiet)));
    let session = Session { flasher: &flasher, job: &job, run: &run, purpose: Purpose::Flash };
    let mut memory = Memory { bytes: medium, ..Memory::new(0, (usize::MAX, 0)) };
    let proven = flash(session, &path, &mut memory).await;
    let kept = run.record.medium_now().map(|medium| medium.kept).unwrap_or_default();
    Flashed { memory, kept, proven }
}

const PARTS: [(&str, usize, usize); 3] = [("boot", 1, 2), ("calib", 3, 1), ("root", 4, 3)];

#[tokio::test(flavor = "multi_thread")]
async fn kept_partitions_are_bit_for_bit_the_same() {
    let (Some(image), Some(mut medium)) = (disk(8, &PARTS, 0x11), disk(12, &PARTS, 0xa5)) else { return };
    medium[3 * MIB..4 * MIB].iter_mut().enumerate().for_each(|(at, byte)| *byte = (at / 7) as u8);
    let mut erased = medium.clone();
    erased[..BLOCK as usize].fill(0);
    // Zeros of the image around the partition, too, and in it.
    let mut zeros = image.clone();
    zeros[2 * MIB..6 * MIB].fill(0);
    for (what, image, medium, how) in [
        ("everything is written", &image, &medium, Compare::Never),
        ("what differs is written", &image, &medium, Compare::Always),
        ("a failed flash has erased the first block", &image, &erased, Compare::Auto),
        ("an image of zeros there", &zeros, &medium, Compare::Never),
        ("an image of zeros there, compared", &zeros, &medium, Compare::Auto),
    ] {
        let Flashed { memory, kept, proven } =
            put(image, medium.clone(), &["calib", "calib"], |job| job.compare = Some(how)).await;
        proven.unwrap_or_else(|error| panic!("{what}: {error}"));
        let calib = 3 * MIB..4 * MIB;
        assert!(memory.bytes[calib.clone()] == medium[calib.clone()], "{what}: it has changed");
        assert!(memory.bytes[..calib.start] == image[..calib.start], "{what}: before it");
        assert!(memory.bytes[calib.end..image.len()] == image[calib.end..], "{what}: behind it");
        let digest = disk_image::Digest::of(&medium[calib.clone()]).to_string();
        let expected = KeptPartition {
            label: "calib".to_owned(),
            offset: calib.start as u64,
            length: MIB as u64,
            before: vec![digest.clone()],
            after: vec![digest],
        };
        assert_eq!(kept, [expected], "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_image_again_writes_nothing() {
    let (Some(image), Some(mut medium)) = (disk(8, &PARTS, 0x11), disk(8, &PARTS, 0x11)) else { return };
    medium.copy_from_slice(&image);
    medium[3 * MIB..4 * MIB].fill(0x77);
    let Flashed { memory, kept, proven } = put(&image, medium, &["calib"], |_| {}).await;
    proven.unwrap();
    assert!(memory.done.is_empty(), "{:?}", memory.done);
    assert!(kept.len() == 1 && kept[0].before == kept[0].after, "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_partition_that_changes_is_a_failure() {
    let (Some(image), Some(medium)) = (disk(8, &PARTS, 0x11), disk(12, &PARTS, 0xa5)) else { return };
    let Flashed { kept, proven, memory } =
        put(&image, medium.clone(), &["calib"], |job| job.compare = Some(Compare::Never)).await;
    proven.unwrap();
    assert!(kept.len() == 1 && !memory.done.is_empty());
    let fades = Some((3 * MIB + 5, 1));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("os.img");
    std::fs::write(&path, &image).unwrap();
    let job = FlashJob { keep: vec!["calib".to_owned()], ..FlashJob::new(path.display().to_string()) };
    let (flasher, run) = (flasher(), Run::new(JobKind::Flash, &job, Arc::new(Quiet)));
    let session = Session { flasher: &flasher, job: &job, run: &run, purpose: Purpose::Flash };
    let mut memory = Memory { bytes: medium, fades, ..Memory::new(0, (usize::MAX, 0)) };
    let error = flash(session, &path, &mut memory).await.unwrap_err();
    assert_eq!(
        (error.class(), error.cause().as_str()),
        (Class::Medium, "the partition `calib` of `/dev/mmcblk0` was to be kept, and has changed")
    );
    assert!(memory.bytes[..BLOCK as usize].iter().all(|byte| *byte == 0), "it must not boot");
}

/// Flashes, and gets this refusal before anything is written.
async fn refused(
    what: &str,
    (image, medium): (&[u8], &[u8]),
    labels: &[&str],
    change: impl FnOnce(&mut FlashJob),
) -> String {
    let Flashed { memory, proven, .. } = put(image, medium.to_vec(), labels, change).await;
    let error = proven.err().unwrap_or_else(|| panic!("{what}: it was flashed"));
    assert!(memory.done.is_empty() && memory.bytes == medium, "{what}: something was written");
    assert!(error.class() == Class::Config && !error.is_retryable(), "{what}: {error}");
    format!("{what}\n  {}\n  {}", error.cause(), error.next_step().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_is_refused_before_the_first_write() {
    let Some(image) = disk(8, &PARTS, 0x11) else { return };
    let medium = |parts: &[(&str, usize, usize)]| disk(12, parts, 0xa5).unwrap();
    let same = medium(&PARTS);
    let twice = [("calib", 1, 2), ("calib", 3, 1), ("root", 4, 3)];
    let mut no_table = same.clone();
    no_table[..BLOCK as usize].fill(0);
    no_table[11 * MIB..].fill(0);
    let mut odd = disk(8, &[("boot", 1, 2)], 0x11).unwrap();
    odd.copy_from_slice(&image);
    let nothing = |_: &mut FlashJob| {};
    let mut texts = Vec::new();
    texts.push(refused("not in the image", (&image, &same), &["nope"], nothing).await);
    texts.push(refused("no table in the image", (&[7; 2 * MIB], &same), &["calib"], nothing).await);
    let of_image = disk(8, &twice, 0x11).unwrap();
    texts.push(refused("twice in the image", (&of_image, &same), &["calib"], nothing).await);
    let other = medium(&[("boot", 1, 2), ("root", 4, 3)]);
    texts.push(refused("not on the medium", (&image, &other), &["calib"], nothing).await);
    texts.push(refused("no table on the medium", (&image, &no_table), &["calib"], nothing).await);
    texts.push(refused("twice on the medium", (&image, &medium(&twice)), &["calib"], nothing).await);
    let moved = medium(&[("boot", 1, 2), ("calib", 4, 1), ("root", 5, 3)]);
    texts.push(refused("moved", (&image, &moved), &["calib"], nothing).await);
    let smaller = medium(&[("boot", 1, 2), ("calib", 3, 2), ("root", 5, 3)]);
    texts.push(refused("smaller in the image", (&image, &smaller), &["calib"], nothing).await);
    let larger = disk(8, &[("boot", 1, 2), ("calib", 3, 2), ("root", 5, 2)], 0x11).unwrap();
    texts.push(refused("larger in the image", (&larger, &same), &["calib"], nothing).await);
    texts.push(refused("no label", (&image, &same), &[""], nothing).await);
    let direct = |job: &mut FlashJob| job.direct = true;
    texts.push(refused("direct", (&image, &same), &["calib"], direct).await);
    let partition = |job: &mut FlashJob| job.partition = Some("root".to_owned());
    texts.push(refused("a partition", (&image, &same), &["calib"], partition).await);
    insta::assert_snapshot!(texts.join("\n"));
}
