//! Dumps: what the medium holds comes out, proven by a second reading, or nothing that could pass for a dump.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use disk_image::Digest;
use flasher_core::flash::{DigestsBy, JobKind, PowerState, RangeKind, Verify};
use flasher_core::tree::DriverTree;
use flasher_core::{
    CancellationToken, Class, Device, DumpJob, DumpSink, Error, Event, Receipt, Result, Step, Verdict,
};

use crate::lab::{Lab, MEDIUM, noise, sample};

/// Keeps what it takes in memory.
#[derive(Default)]
struct Memory {
    taken: Mutex<Vec<u8>>,
    kept: Mutex<bool>,
    /// Full after so many bytes.
    room: Option<usize>,
}

impl DumpSink for Memory {
    fn label(&self) -> String {
        "memory".to_owned()
    }

    fn begin(&self, length: u64) -> Result<()> {
        assert!(length > 0);
        self.taken.lock().unwrap().clear();
        Ok(())
    }

    fn take(&self, bytes: &[u8]) -> Result<()> {
        let mut taken = self.taken.lock().unwrap();
        taken.extend_from_slice(bytes);
        match self.room {
            Some(room) if taken.len() > room => {
                Err(Error::infrastructure("cannot write the dump: no space left").retryable(false))
            }
            _ => Ok(()),
        }
    }

    fn keep(&self) -> Result<()> {
        *self.kept.lock().unwrap() = true;
        Ok(())
    }
}

/// What came of a dump.
struct Dumped {
    receipt: Receipt,
    bytes: Vec<u8>,
    kept: bool,
}

/// Dumps the medium of `lab`; `hear` is called with every event on the thread that reports it.
async fn dump(
    lab: &Lab,
    sink: Memory,
    change: impl FnOnce(&mut DumpJob),
    hear: impl Fn(&DriverTree, Event) + Send + Sync + 'static,
) -> Dumped {
    let tree = Arc::new(exporter_yaml::load(&lab.exporter()).unwrap_or_else(|findings| panic!("{findings}")));
    let sink = Arc::new(sink);
    let mut job = DumpJob { retries: 0, ..DumpJob::new(Arc::clone(&sink) as _) };
    change(&mut job);
    let heard = Arc::clone(&tree);
    let flasher = tree.flasher(None).unwrap();
    let receipt = flasher.dump(job, Arc::new(move |event| hear(&heard, event))).await;
    tree.close().await.unwrap();
    let (bytes, kept) = (sink.taken.lock().unwrap().clone(), *sink.kept.lock().unwrap());
    assert_eq!(receipt.job, JobKind::Dump);
    assert_eq!(kept, receipt.verdict != Verdict::Failed, "what is kept is what did not fail");
    Dumped { receipt, bytes, kept }
}

fn is_proof(dumped: &Dumped, medium: &[u8], case: &str) {
    let receipt = &dumped.receipt;
    assert_eq!(receipt.verdict, Verdict::Proven, "{case}: {:#?}", receipt.failure);
    assert!(dumped.kept && dumped.bytes == medium, "{case}: the dump is something else than the medium");
    assert_eq!(receipt.image.decoded_sha256, Some(Digest::of(medium).to_string()), "{case}");
    let facts = receipt.medium.as_ref().unwrap();
    assert_eq!((facts.device.as_str(), facts.size), ("/dev/mmcblk0", MEDIUM as u64), "{case}");
    assert!(facts.ranges.iter().all(|range| range.read_back.as_ref() == Some(&range.sha256)), "{case}");
    assert!(facts.ranges.iter().all(|range| range.writes == 0), "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_after_a_flash_is_the_image() {
    let cases = [
        ("", "", DigestsBy::Exporter),
        ("wget_missing: true", "", DigestsBy::Exporter),
        ("bash_missing: true", "", DigestsBy::Exporter),
        ("kernel_lines: 40", "", DigestsBy::Exporter),
        ("", "read_back: board", DigestsBy::Board),
    ];
    for (faults, flasher, digests_by) in cases {
        let mut lab = Lab::new(faults);
        lab.flasher = flasher.to_owned();
        let content = sample();
        let (flashed, _) = lab.flash(lab.job(&lab.image(&content, None))).await;
        assert_eq!(flashed.verdict, Verdict::Proven, "{:#?}", flashed.failure);
        let dumped = dump(&lab, Memory::default(), |_| {}, |_, _| {}).await;
        let case = format!("{faults} {flasher}");
        is_proof(&dumped, &lab.medium(), &case);
        assert!(dumped.bytes.starts_with(&content), "{case}");
        let receipt = dumped.receipt;
        let medium = receipt.medium.as_ref().unwrap();
        assert_eq!(medium.digests_by, Some(digests_by), "{case}");
        assert_eq!((receipt.power, receipt.exit_code()), (PowerState::Off, 0));
    }
}

/// A lab without a bundle, whose U-Boot lacks these commands and has these faults.
fn without_bundle(lacks: &str, faults: &str) -> Lab {
    let mut lab = Lab::new(faults);
    lab.size = 1 << 20;
    std::fs::write(lab.path("medium"), [noise(700_000, 4), vec![0; lab.size - 700_000]].concat()).unwrap();
    lab.board = format!("{}\n      without_commands: [{lacks}]", lab.board);
    lab.flasher = "via: uboot\n      targets: { emmc: mmc 0 }".to_owned();
    std::fs::remove_dir_all(lab.path("bundle")).unwrap();
    lab
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boot_loader_sends_its_medium() {
    for (lacks, faults, digests_by) in [
        ("hash, sha256sum", "", DigestsBy::Exporter),
        ("hash, sha256sum", "tftp_loss: 1, seed: 3", DigestsBy::Exporter),
        ("hash, sha256sum", "uboot: { flip_put_at: 300000 }", DigestsBy::Exporter),
        ("hash", "", DigestsBy::Board),
        ("sha256sum", "", DigestsBy::Board),
    ] {
        let lab = without_bundle(lacks, faults);
        let dumped = dump(&lab, Memory::default(), |_| {}, |_, _| {}).await;
        let (receipt, case) = (&dumped.receipt, format!("{lacks} {faults}"));
        assert_eq!(receipt.verdict, Verdict::Proven, "{case}: {:#?}", receipt.failure);
        assert!(dumped.bytes == lab.medium(), "{case}: the dump is something else than the medium");
        assert_eq!(receipt.medium.as_ref().unwrap().digests_by, Some(digests_by), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boot_loader_that_cannot_send_is_named() {
    let lab = without_bundle("tftpput", "");
    let dumped = dump(&lab, Memory::default(), |_| {}, |_, _| {}).await;
    let failure = dumped.receipt.failure.unwrap();
    assert_eq!((failure.class, failure.step), (Class::Board, Step::Shell), "{failure:#?}");
    assert_eq!(failure.cause, "this boot loader was built without `tftpput`");
    assert!(dumped.bytes.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_read_twice_is_kept_and_never_called_proven() {
    let lab = Lab::new("");
    std::fs::write(lab.path("medium"), [noise(100_000, 1), vec![0; MEDIUM - 100_000]].concat()).unwrap();
    for (verify, data) in [(Verify::Off, false), (Verify::Mapped, true)] {
        let dumped = dump(&lab, Memory::default(), |job| job.verify = verify, |_, _| {}).await;
        assert_eq!((dumped.receipt.verdict, dumped.receipt.exit_code()), (Verdict::Written, 0));
        assert!(dumped.kept && dumped.bytes == lab.medium(), "{verify:?}");
        let medium = dumped.receipt.medium.unwrap();
        assert_eq!(medium.read_back_sha256, None);
        for range in medium.ranges.iter().skip(1) {
            assert_eq!(
                range.read_back.is_some(),
                data && range.kind == RangeKind::Data,
                "{verify:?} {range:?}"
            );
        }
    }
}

/// Dumps with a fault and expects this failure, and that the medium is as it was.
async fn fails(mut lab: Lab, sink: Memory, class: Class, step: Step, says: &str) -> Receipt {
    lab.flasher = "timeouts: { stall: 3, bootloader: 15 }".to_owned();
    let before = lab.medium();
    let receipt = dump(&lab, sink, |_| {}, |_, _| {}).await.receipt;
    let failure = receipt.failure.clone().unwrap();
    assert_eq!((failure.class, failure.step), (class, step), "{failure:#?}");
    assert!(failure.cause.contains(says), "{failure:#?}");
    assert_eq!(receipt.exit_code(), class.exit_code());
    assert!(lab.medium() == before, "{says}: the medium was touched");
    assert_eq!(receipt.power, PowerState::Off, "{says}");
    receipt
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_cannot_be_ends_with_its_cause_and_keeps_nothing() {
    let full = Memory { room: Some(1_000_000), ..Memory::default() };
    fails(Lab::new(""), full, Class::Infrastructure, Step::Read, "no space left").await;
    let says = "`/dev/mmcblk0` cannot be read";
    fails(Lab::new("read_error_at: 1MiB"), Memory::default(), Class::Medium, Step::Read, says).await;
    let says = "nothing that can send what it reads";
    let none = Lab::new("bash_missing: true, curl_missing: true");
    fails(none, Memory::default(), Class::Config, Step::Read, says).await;
    let mut absent = Lab::new("");
    absent.board.push_str("\n      targets: [/dev/sdz]\n      block_addresses: {}");
    fails(absent, Memory::default(), Class::Board, Step::Target, "is no block device").await;
}

/// Switches the board off, and waits for it, when so much has been read.
fn cut(tree: &DriverTree, event: &Event, handle: &tokio::runtime::Handle, struck: &Mutex<bool>) {
    let Event::Advanced { step: Step::Read, done, .. } = event else { return };
    if *done < 2_000_000 || std::mem::replace(&mut *struck.lock().unwrap(), true) {
        return;
    }
    let Ok(Device::Power(power, _)) = tree.find("board.power") else { panic!("no power switch") };
    let (done, wait) = std::sync::mpsc::channel();
    handle.spawn(async move { done.send(power.off().await) });
    wait.recv().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_in_the_middle_is_a_failure_and_a_retry_mends_it() {
    for retries in [0, 1] {
        let mut lab = Lab::new("");
        lab.flasher = "timeouts: { stall: 2, bootloader: 15 }".to_owned();
        let (struck, handle) = (Mutex::new(false), tokio::runtime::Handle::current());
        let hear = move |tree: &DriverTree, event: Event| cut(tree, &event, &handle, &struck);
        let dumped = dump(&lab, Memory::default(), |job| job.retries = retries, hear).await;
        if retries == 1 {
            assert_eq!(dumped.receipt.attempts, 2);
            is_proof(&dumped, &lab.medium(), "after a power cut");
        } else {
            let failure = dumped.receipt.failure.unwrap();
            assert_eq!((failure.class, failure.step), (Class::Infrastructure, Step::Read), "{failure:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_medium_that_changes_between_two_readings_is_no_dump() {
    let lab = Lab::new("");
    let medium = lab.path("medium");
    let hear = move |_: &DriverTree, event: Event| {
        if matches!(event, Event::StepBegun { step: Step::Verify }) {
            let mut bytes = std::fs::read(&medium).unwrap();
            bytes[5_000_000] ^= 1;
            std::fs::write(&medium, bytes).unwrap();
        }
    };
    let dumped = dump(&lab, Memory::default(), |_| {}, hear).await;
    let failure = dumped.receipt.failure.unwrap();
    assert_eq!((failure.class, failure.step), (Class::Medium, Step::Verify), "{failure:#?}");
    assert!(failure.cause.contains("read twice and was not the same: bytes 65536-16777215"), "{failure:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_can_be_stopped_and_has_a_deadline() {
    for at in [Step::Resolve, Step::Power, Step::Shell, Step::Read, Step::Verify] {
        let lab = Lab::new("");
        let stop = CancellationToken::new();
        let token = stop.clone();
        let hear = move |_: &DriverTree, event: Event| {
            if matches!(event, Event::StepBegun { step } if step == at) {
                token.cancel();
            }
        };
        let dumped = dump(&lab, Memory::default(), |job| job.stop = stop, hear).await;
        assert_eq!(
            (dumped.receipt.class(), dumped.receipt.exit_code()),
            (Some(Class::Interrupted), 130),
            "{at}"
        );
        assert!(!dumped.kept, "{at}");
    }
    let mut lab = Lab::new("no_login: true");
    lab.flasher = "timeouts: { shell: 60 }".to_owned();
    let late = |job: &mut DumpJob| job.deadline = Some(Duration::from_secs(5));
    let dumped = dump(&lab, Memory::default(), late, |_, _| {}).await;
    assert_eq!(dumped.receipt.failure.unwrap().cause, "the deadline of 5 s passed in step shell");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_partition_can_be_dumped() {
    let mut lab = Lab::new("");
    lab.board.push_str("\n      partitions: [{ label: root, start: 2MiB, size: 3MiB }]");
    std::fs::write(lab.path("medium"), noise(MEDIUM, 5)).unwrap();
    let root = |job: &mut DumpJob| job.partition = Some("root".to_owned());
    let dumped = dump(&lab, Memory::default(), root, |_, _| {}).await;
    assert_eq!(dumped.receipt.verdict, Verdict::Proven, "{:#?}", dumped.receipt.failure);
    assert!(dumped.bytes == lab.medium()[2 << 20..5 << 20]);
    assert_eq!(dumped.receipt.medium.unwrap().device, "/dev/mmcblk0p1");
}
