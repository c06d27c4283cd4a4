//! Media that hold less than they tell, images that leave the beginning alone, and sources that change between attempts: none
//! of them ends in a false success.

use std::sync::{Arc, Mutex};

use flasher_core::flash::RangeKind;
use flasher_core::{Class, Event, FlashJob, Receipt, Step, Verdict};

use crate::lab::{Lab, MEDIUM, noise};

const MIB: usize = 1 << 20;

/// How a flash must end.
enum Ends {
    Proven,
    /// A failure of the medium in this step, with these words.
    Fails(Step, &'static str),
}

use Ends::{Fails, Proven};

/// Flashes `length` bytes onto a medium that tells 16 MiB and holds `real`.
async fn check(beyond: &str, real: usize, length: usize, tool: Option<&str>, ends: Ends) {
    let name = format!("{beyond} at {real}, {length} bytes, {tool:?}");
    let lab = Lab::new(&format!("real_size: {{ bytes: {real}, beyond: {beyond} }}"));
    let content = noise(length, 7);
    let (receipt, _) = lab.flash(lab.job(&lab.image(&content, tool))).await;
    let medium = lab.medium();
    match ends {
        Proven => {
            assert_eq!(receipt.verdict, Verdict::Proven, "{name}: {:#?}", receipt.failure);
            assert!(medium[..length] == content, "{name}: a false success");
        }
        Fails(step, says) => {
            fails(&name, &receipt, Class::Medium, step, says);
            assert!(medium[..65536].iter().all(|byte| *byte == 0), "{name}: something may boot");
        }
    }
}

fn fails(name: &str, receipt: &Receipt, class: Class, step: Step, says: &str) {
    assert_eq!(receipt.verdict, Verdict::Failed, "{name}: a false success");
    let failure = receipt.failure.as_ref().unwrap();
    assert_eq!((failure.class, failure.step), (class, step), "{name}: {failure:#?}");
    assert!(failure.cause.contains(says), "{name}: {failure:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_medium_that_wraps_round_is_never_proven() {
    let holds_8 = "tells 16 MiB and seems to hold 8 MiB: it is counterfeit or broken";
    let more = 64 * 1024;
    for (real, length, tool, ends) in [
        (8 * MIB, 14 * MIB, None, Fails(Step::Write, holds_8)),
        (12 * MIB, 14 * MIB, None, Fails(Step::Write, "seems to hold 12 MiB")),
        (8 * MIB, 8 * MIB + more, None, Fails(Step::Write, holds_8)),
        (10 * MIB, 14 * MIB, None, Fails(Step::Write, "seems to hold 10 MiB")),
        // No distance that is looked for: the comparison of everything shows it.
        (10 * MIB + 3 * 4096, 14 * MIB, None, Fails(Step::Verify, "seems to hold 10 MiB")),
        (10 * MIB + 3 * 4096, 10 * MIB + more, None, Fails(Step::Verify, "seems to hold 10 MiB")),
        // How long it is shows only at its end.
        (8 * MIB, 14 * MIB, Some("gzip"), Fails(Step::Verify, holds_8)),
        (3 * MIB, 14 * MIB, Some("gzip"), Fails(Step::Verify, "seems to hold 3 MiB")),
        (8 * MIB, 5 * MIB, None, Proven),
    ] {
        check("wrap", real, length, tool, ends).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_medium_that_drops_what_is_written_is_never_proven() {
    let more = 64 * 1024;
    for (real, length, tool, ends) in [
        (8 * MIB, 14 * MIB, None, Fails(Step::Write, "tells 16 MiB and seems to hold 8 MiB")),
        (9 * MIB, 14 * MIB, None, Fails(Step::Write, "it is counterfeit or broken")),
        (8 * MIB, 8 * MIB + more, None, Fails(Step::Write, "seems to hold 8 MiB")),
        (8 * MIB, 14 * MIB, Some("gzip"), Fails(Step::Verify, "tells 16 MiB and seems to hold 8 MiB")),
        (9 * MIB + 512, 14 * MIB, Some("gzip"), Fails(Step::Verify, "seems to hold 9 MiB")),
        (8 * MIB, 5 * MIB, None, Proven),
    ] {
        check("drop", real, length, tool, ends).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_partitions_that_are_one_place_are_never_proven() {
    let mut lab = Lab::new("real_size: { bytes: 8MiB, beyond: wrap }");
    lab.board += "
      partitions:
      - { label: boot, start: 1MiB, size: 4MiB }
      - { label: root, start: 9MiB, size: 4MiB }";
    let image = |name: &str, seed| {
        let path = lab.path(name);
        std::fs::write(&path, noise(2 * MIB, seed)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let root = flasher_core::flash::PartitionImage { label: "root".into(), image: image("root.img", 2) };
    let boot = image("boot.img", 1);
    let job =
        FlashJob { retries: 0, partition: Some("boot".into()), also: vec![root], ..FlashJob::new(boot) };
    let (receipt, _) = lab.flash(job).await;
    fails("alias", &receipt, Class::Medium, Step::Verify, "seems to hold less than it tells");
    let evidence = &receipt.failure.unwrap().context["evidence"];
    assert!(evidence.contains("boot.img`, which was written to `/dev/mmcblk0p1`"), "{evidence}");
}

/// An Android sparse image of these chunks: their MiB, and their bytes where they have some.
fn simg(chunks: &[(u32, Option<&[u8]>)]) -> Vec<u8> {
    let blocks = |mib: u32| mib * 256;
    let total: u32 = chunks.iter().map(|(mib, _)| blocks(*mib)).sum();
    let words = [4096, total, chunks.len() as u32, 0].map(u32::to_le_bytes).concat();
    let mut all = [&[0x3a, 0xff, 0x26, 0xed, 1, 0, 0, 0, 28, 0, 12, 0][..], &words].concat();
    for (mib, bytes) in chunks {
        let kind: u16 = if bytes.is_some() { 0xcac1 } else { 0xcac3 };
        let bytes = bytes.unwrap_or_default();
        all.extend(kind.to_le_bytes().iter().chain(&[0, 0]));
        all.extend([blocks(*mib), 12 + bytes.len() as u32].map(u32::to_le_bytes).concat());
        all.extend(bytes);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_block_that_the_image_leaves_alone_stays_as_it_was() {
    let lab = Lab::new("");
    let part = noise(MIB, 3);
    let (receipt, _) = lab.flash(lab.job(&lab.image(&simg(&[(2, None), (1, Some(&part))]), None))).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    let medium = lab.medium();
    assert!(medium[..2 * MIB].iter().all(|byte| *byte == 0xa5), "what belongs to the first part is lost");
    assert!(medium[2 * MIB..3 * MIB] == part);
    let first = &receipt.medium.as_ref().unwrap().ranges[0];
    assert_eq!((first.offset, first.length, first.kind, first.writes), (0, 65536, RangeKind::Unmapped, 0));

    // Where a write to another place changes it, nothing is proven.
    let lab = Lab::new("real_size: { bytes: 8MiB, beyond: wrap }");
    let (receipt, _) = lab.flash(lab.job(&lab.image(&simg(&[(8, None), (1, Some(&part))]), None))).await;
    fails("alias", &receipt, Class::Medium, Step::Verify, "the first block of `/dev/mmcblk0` changed");

    let lab = Lab::new("");
    let (receipt, _) = lab.flash(lab.job(&lab.image(&simg(&[(8, None)]), None))).await;
    fails("no data", &receipt, Class::Source, Step::Write, "all of it is left out");
    assert!(lab.medium() == vec![0xa5; MEDIUM]);
}

#[tokio::test(flavor = "multi_thread")]
async fn gibibytes_that_are_left_out_are_no_standstill() {
    const GIB: u32 = 6;
    let mut lab = Lab::new("");
    lab.flasher = "timeouts: { stall: 3 }".to_owned();
    let medium = std::fs::OpenOptions::new().write(true).open(lab.path("medium")).unwrap();
    medium.set_len(u64::from(GIB + 1) << 30).unwrap();
    let (head, tail) = (noise(MIB, 1), noise(MIB, 2));
    let image = simg(&[(1, Some(&head)), (GIB * 1024, None), (1, Some(&tail))]);
    let (receipt, _) = lab.flash(lab.job(&lab.image(&image, None))).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
}

#[tokio::test(flavor = "multi_thread")]
async fn images_that_change_between_attempts() {
    let lab = Lab::new("flip_bit: { offset: 700000, mask: 4 }, heals_after: 1");
    let (path, changed) = (lab.image(&noise(MIB, 1), None), noise(MIB, 2));
    let tree = exporter_yaml::load(&lab.exporter()).unwrap_or_else(|findings| panic!("{findings}"));
    let change = Arc::new(Mutex::new(Some((path.clone(), changed))));
    let progress = move |event| {
        if matches!(event, Event::Retrying { .. })
            && let Some((path, changed)) = change.lock().unwrap().take()
        {
            std::fs::write(path, changed).unwrap();
        }
    };
    let job = FlashJob { retries: 2, ..lab.job(&path) };
    let receipt = tree.flasher(None).unwrap().flash(job, Arc::new(progress)).await;
    tree.close().await.unwrap();
    fails("changed", &receipt, Class::Source, Step::Write, "the image changed between two readings");
    assert_eq!(receipt.attempts, 2);
}
