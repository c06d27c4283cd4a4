//! Looks at a medium: the image is named, or it is said what could be found out; and the medium stays as it was.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use flasher_core::flash::{JobKind, PowerState};
use flasher_core::identify::{FoundPartition, KnownImage, KnownRange};
use flasher_core::{Class, Event, IdentifyJob, Receipt, Verdict};

use crate::lab::{Lab, has, noise, sample};

const WITHOUT_BUNDLE: &str = "via: uboot\n      targets: { emmc: mmc 0 }";

/// The image that a receipt has the ranges of, as the ledger keeps it.
fn known(receipt: &Receipt) -> KnownImage {
    let range = |range: &flasher_core::flash::RangeFacts| KnownRange {
        offset: range.offset,
        length: range.length,
        kind: range.kind,
        sha256: range.sha256.clone(),
    };
    KnownImage {
        name: receipt.image.source.clone(),
        sha256: receipt.image.decoded_sha256.clone().unwrap(),
        length: receipt.image.decoded_length.unwrap(),
        ranges: receipt.medium.as_ref().unwrap().ranges.iter().map(range).collect(),
    }
}

async fn look(lab: &Lab, job: IdentifyJob) -> (Receipt, Vec<Event>) {
    let before = lab.medium();
    let tree = exporter_yaml::load(&lab.exporter()).unwrap_or_else(|findings| panic!("{findings}"));
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let progress = move |event| seen.lock().unwrap().push(event);
    let job = IdentifyJob { retries: 0, ..job };
    let receipt = tree.flasher(None).unwrap().identify(job, Arc::new(progress)).await;
    tree.close().await.unwrap();
    assert_eq!(receipt.job, JobKind::Identify);
    assert!(lab.medium() == before, "something was written");
    let events = std::mem::take(&mut *events.lock().unwrap());
    (receipt, events)
}

/// A lab whose U-Boot writes by itself, and lacks these commands.
fn without_bundle(lacks: &str) -> Lab {
    let mut lab = Lab::new("");
    lab.board = format!("{}\n      without_commands: [{lacks}]", lab.board);
    lab.flasher = WITHOUT_BUNDLE.to_owned();
    std::fs::remove_dir_all(lab.path("bundle")).unwrap();
    lab
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_flashed_is_named_by_every_way() {
    for (lab, sends) in [
        (Lab::new(""), true),
        (Lab::new("bash_missing: true, wget_missing: true"), true),
        (without_bundle("hash, sha256sum"), true),
        (without_bundle("tftpput"), false),
    ] {
        let image = lab.image(&sample(), None);
        let (flashed, _) = lab.flash(lab.job(&image)).await;
        assert_eq!(flashed.verdict, Verdict::Proven, "{:#?}", flashed.failure);
        let job = IdentifyJob { known: vec![known(&flashed)], ..IdentifyJob::default() };
        let (receipt, _) = look(&lab, job.clone()).await;
        let found = receipt.found.as_ref().unwrap_or_else(|| panic!("{:#?}", receipt.failure));
        assert_eq!((receipt.verdict, receipt.exit_code()), (Verdict::Identified, 0));
        assert_eq!(receipt.power, PowerState::Off);
        let named = found.image.as_ref().unwrap();
        assert!(named.is_whole() && named.name == image.to_str().unwrap(), "{found:?}");
        let content = if sends { "an MBR partition table" } else { "not looked at" };
        assert_eq!(found.content, content);

        let mut medium = lab.medium();
        medium[7_000_000] ^= 4;
        std::fs::write(lab.path("medium"), medium).unwrap();
        let (receipt, _) = look(&lab, job).await;
        let named = receipt.found.unwrap().image.unwrap();
        assert_eq!((named.equal, named.differs_from), (65_536, Some(65_536)), "the first block is as it was");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boot_loader_that_cannot_send_compares_with_an_image() {
    let lab = without_bundle("hash, sha256sum, tftpput");
    let image = lab.image(&sample(), None);
    let (flashed, _) = lab.flash(lab.job(&image)).await;
    let job = IdentifyJob { known: vec![known(&flashed)], ..IdentifyJob::default() };
    let (receipt, _) = look(&lab, job.clone()).await;
    let failure = receipt.failure.unwrap();
    assert_eq!(
        (failure.class, failure.cause.as_str()),
        (
            Class::Board,
            "this boot loader can neither hash nor send what the medium holds (no `hash`, no `tftpput`)"
        )
    );
    let job = IdentifyJob { image: Some(image.to_str().unwrap().to_owned()), ..job };
    let (receipt, _) = look(&lab, job).await;
    assert!(receipt.found.unwrap().image.unwrap().is_whole(), "{:#?}", receipt.failure);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_listed_and_compared() {
    if !has("sfdisk") {
        return;
    }
    let mut lab = Lab::new("");
    lab.board.push_str("\n      partitions:\n      - { label: data, start: 4MiB, size: 4MiB }");
    let script = "label: gpt\nstart=2048, size=4096, name=boot\nstart=8192, size=8192, name=data\n";
    let image = lab.image(&noise(10 << 20, 3), None);
    let mut sfdisk =
        Command::new("sfdisk").arg(&image).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut sfdisk.stdin.take().unwrap(), script.as_bytes()).unwrap();
    assert!(sfdisk.wait().unwrap().success());
    let (flashed, _) = lab.flash(lab.job(&image)).await;
    assert_eq!(flashed.verdict, Verdict::Proven, "{:#?}", flashed.failure);
    let job = IdentifyJob { known: vec![known(&flashed)], ..IdentifyJob::default() };
    let (receipt, _) = look(&lab, job.clone()).await;
    let found = receipt.found.unwrap();
    assert_eq!(found.content, "a GUID partition table of sectors of 512 bytes");
    let partition = |number, label: &str, offset: u64, length: u64| FoundPartition {
        number,
        label: Some(label.to_owned()),
        offset: offset * 512,
        length: length * 512,
        content: Some("unknown content".to_owned()),
        is_equal: Some(true),
        ..FoundPartition::default()
    };
    assert_eq!(found.partitions, [partition(1, "boot", 2048, 4096), partition(2, "data", 8192, 8192)]);

    let job = IdentifyJob { known: Vec::new(), ..job };
    let (receipt, _) = look(&lab, IdentifyJob { partition: Some("data".to_owned()), ..job.clone() }).await;
    let found = receipt.found.unwrap_or_else(|| panic!("{:#?}", receipt.failure));
    assert_eq!((found.image, found.known_images, found.partitions.len()), (None, 0, 0));
    let (receipt, _) = look(&lab, IdentifyJob { partition: Some("dat".to_owned()), ..job }).await;
    let failure = receipt.failure.unwrap();
    let none = "no partition of `/dev/mmcblk0` is labelled `dat`";
    assert_eq!((failure.class, failure.cause.as_str()), (Class::Board, none));
}

/// An ext4 file system of 8 MiB with this text as its `os-release`.
fn file_system(lab: &Lab, text: &str) -> Vec<u8> {
    let (tree, file) = (lab.path("tree"), lab.path("ext4"));
    std::fs::create_dir_all(tree.join("etc")).unwrap();
    std::fs::create_dir_all(tree.join("usr/lib")).unwrap();
    std::fs::write(tree.join("usr/lib/os-release"), text).unwrap();
    std::os::unix::fs::symlink("../usr/lib/os-release", tree.join("etc/os-release")).unwrap();
    let mut mke2fs = Command::new("mke2fs");
    let made = mke2fs.args(["-q", "-t", "ext4", "-d"]).arg(&tree).arg(&file).arg("8M").status().unwrap();
    assert!(made.success());
    std::fs::read(file).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_in_a_file_system_is_named() {
    if !has("sfdisk") || !has("mke2fs") {
        return;
    }
    let release = "ID=acme\nPRETTY_NAME=\"Acme OS 4.2\"\n";
    for lab in [Lab::new(""), without_bundle("hash, sha256sum")] {
        let root = file_system(&lab, release);
        let medium = lab.path("medium");
        let script = "label: gpt\nstart=2048, size=4096, name=boot\nstart=8192, size=16384, name=root\n";
        let mut sfdisk =
            Command::new("sfdisk").arg(&medium).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        std::io::Write::write_all(&mut sfdisk.stdin.take().unwrap(), script.as_bytes()).unwrap();
        assert!(sfdisk.wait().unwrap().success());
        let mut bytes = lab.medium();
        bytes[4 << 20..(4 << 20) + root.len()].copy_from_slice(&root);
        std::fs::write(&medium, &bytes).unwrap();
        let (receipt, _) = look(&lab, IdentifyJob::default()).await;
        let found = receipt.found.unwrap_or_else(|| panic!("{:#?}", receipt.failure));
        let systems: Vec<_> = found.partitions.iter().map(|part| part.system.as_deref()).collect();
        assert_eq!(systems, [None, Some("Acme OS 4.2")], "{:?}", found.partitions);

        // The file system's own structures are hostile: nothing is named, and the job ends well.
        bytes[(4 << 20) + 2048..(4 << 20) + 65_536].fill(0xff);
        std::fs::write(&medium, &bytes).unwrap();
        let (receipt, _) = look(&lab, IdentifyJob::default()).await;
        let found = receipt.found.unwrap_or_else(|| panic!("{:#?}", receipt.failure));
        assert!(found.partitions.iter().all(|part| part.system.is_none()), "{:?}", found.partitions);
        std::fs::write(&medium, &root).unwrap();
        std::fs::OpenOptions::new().write(true).open(&medium).unwrap().set_len(bytes.len() as u64).unwrap();
        let (receipt, _) = look(&lab, IdentifyJob::default()).await;
        let found = receipt.found.unwrap_or_else(|| panic!("{:#?}", receipt.failure));
        assert_eq!(found.system.as_deref(), Some("Acme OS 4.2"), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_medium_that_cannot_be_read_is_a_failure() {
    let lab = Lab::new("read_error_at: 100000");
    let (receipt, _) = look(&lab, IdentifyJob { known: Vec::new(), ..IdentifyJob::default() }).await;
    let failure = receipt.failure.unwrap();
    assert_eq!((receipt.verdict, failure.class), (Verdict::Failed, Class::Medium), "{failure:#?}");
    assert!(receipt.found.is_none());
}
