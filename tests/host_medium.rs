//! The medium as a disk of this machine: a storage mux gives it, it is written and read directly, and the board gets it back.

mod by_boot_loader;
mod real_disks;
mod rig;

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flasher_core::flash::{
    CacheBypass, DigestsBy, MediumState, PartitionImage, PowerState, RangeKind, Via, ViaUsed, Wire, WireUsed,
    ZerosBy,
};
use flasher_core::{Class, Event, FlashJob, Receipt, Step, Verdict};

use crate::lab::{has, noise, pack, sample};
use rig::{MEDIUM, Rig, run};

const MIB: usize = 1 << 20;

fn must_be_proven(rig: &Rig, content: &[u8], receipt: &Receipt) {
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    let medium = rig.medium("medium");
    assert!(medium[..content.len()] == *content, "a false success");
    assert!(medium[content.len()..].iter().all(|byte| *byte == 0xa5), "written behind the image");
    assert_eq!(rig.orders(), "host dut");
    assert!(!rig.path("sd").exists(), "the board has its medium back");
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_all_kinds_are_proven_on_a_disk_here() {
    let content = sample();
    for tool in [None, Some("gzip"), Some("xz"), Some("zstd")] {
        if tool.is_some_and(|tool| !has(tool)) {
            continue;
        }
        let Some(rig) = Rig::new() else { return };
        let packed = tool.map_or_else(|| content.clone(), |tool| pack(tool, &content));
        let (receipt, _) = rig.flash(rig.job(&packed)).await;
        must_be_proven(&rig, &content, &receipt);
        assert_eq!((receipt.power, receipt.board.bundle_sha256), (PowerState::Untouched, None));
        let medium = receipt.medium.unwrap();
        assert_eq!((medium.via, medium.wire), (Some(ViaUsed::Host), Some(WireUsed::Identity)));
        assert_eq!(
            (medium.digests_by, medium.read_back),
            (Some(DigestsBy::Exporter), Some(CacheBypass::Direct))
        );
        assert!(
            matches!(medium.zeros_by, Some(ZerosBy::Zeroout | ZerosBy::Written)),
            "{:?}",
            medium.zeros_by
        );
        assert_eq!(medium.device, rig.disk("medium").display().to_string());
        assert_eq!(medium.identity["found as"], rig.path("sd").display().to_string());
    }
}

/// Sectors that were written to a disk since it is there, as the kernel counts them.
fn sectors_written(rig: &Rig) -> u64 {
    let name = rig.disk("medium").file_name().unwrap().to_str().unwrap();
    let stat = fs::read_to_string(format!("/sys/block/{name}/stat")).unwrap();
    stat.split_whitespace().nth(6).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_disk_here_holds_already_is_not_written() {
    let Some(rig) = Rig::new() else { return };
    let mut content = sample();
    let (first, _) = rig.flash(rig.job(&content)).await;
    must_be_proven(&rig, &content, &first);
    for (changed, expected) in [(None, 0), (Some(MIB + 5), MIB + 65_536)] {
        changed.into_iter().for_each(|place| content[place] ^= 1);
        let before = sectors_written(&rig);
        let (receipt, _) = rig.flash(rig.job(&content)).await;
        assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
        assert!(rig.medium("medium")[..content.len()] == content, "a false success");
        let facts = receipt.medium.unwrap().compare.unwrap();
        assert_eq!((facts.compared, facts.written), (content.len() as u64, expected as u64));
        let written = (sectors_written(&rig) - before) * 512;
        assert_eq!(written == 0, changed.is_none(), "{written} bytes were written");
    }
}

/// What is left alone stays as it was, the first block too; nothing is rounded up to whole chunks.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_block_map_leaves_out_stays_as_it_was() {
    if !has("bmaptool") {
        return;
    }
    let Some(rig) = Rig::new() else { return };
    let path = rig.path("sparse.img");
    let file = fs::File::create(&path).unwrap();
    file.set_len(4 << 20).unwrap();
    let data = noise(MIB, 5);
    std::os::unix::fs::FileExt::write_all_at(&file, &data, 2 << 20).unwrap();
    file.sync_all().unwrap();
    let map = Command::new("bmaptool").arg("create").arg(&path).output().unwrap();
    fs::write(rig.path("sparse.bmap"), map.stdout).unwrap();
    let (receipt, _) = rig.flash(FlashJob { retries: 0, ..FlashJob::new(path.to_str().unwrap()) }).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert!(receipt.medium.unwrap().ranges.iter().any(|range| range.kind == RangeKind::Unmapped));
    let mut expected = vec![0xa5; MEDIUM];
    expected[2 * MIB..3 * MIB].copy_from_slice(&data);
    assert!(rig.medium("medium") == expected, "the medium differs");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_found_in_the_table_on_the_disk() {
    if !has("sfdisk") {
        return;
    }
    let Some(mut rig) = Rig::new() else { return };
    fs::write(
        rig.path("table"),
        "label: gpt\nstart=2048, size=4096, name=boot\nstart=8192, size=8192, name=\"my root\"\n",
    )
    .unwrap();
    fs::write(rig.path("parts"), vec![0xa5; MEDIUM]).unwrap();
    run(Command::new("sh")
        .args(["-c", "sfdisk \"$1\" <\"$2\"", "sh"])
        .arg(rig.path("parts"))
        .arg(rig.path("table")));
    let Some(disk) = rig.attach("parts", &[]) else { return };
    rig.mux[0] = format!("ln -sfn {} sd", disk.display());
    let mut expected = rig.medium("parts");
    let image = |name: &str, content: &[u8]| {
        fs::write(rig.path(name), content).unwrap();
        rig.path(name).to_str().unwrap().to_owned()
    };
    // An odd length: the rest of its last sector stays as it is.
    let (boot, root) = (noise(MIB + 333, 1), noise(3 * MIB, 2));
    for (sector, content) in [(2048, &boot), (8192, &root)] {
        expected[sector * 512..][..content.len()].copy_from_slice(content);
    }
    let also = vec![PartitionImage { label: "my root".to_owned(), image: image("root", &root) }];
    let one =
        FlashJob { retries: 0, partition: Some("boot".to_owned()), ..FlashJob::new(image("boot", &boot)) };
    let (receipt, _) = rig.flash(FlashJob { also, ..one.clone() }).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert!(rig.medium("parts") == expected, "the medium differs");
    let device = format!("{}#my root", disk.display());
    assert_eq!(receipt.further[0].medium.as_ref().unwrap().device, device);
    let failure = rig.flash(FlashJob { partition: Some("rot".to_owned()), ..one }).await.0.failure.unwrap();
    assert_eq!(failure.cause, format!("no partition of `{}` is labelled `rot`", disk.display()));
}

/// A medium that must not be written, or a job that makes no sense on one: refused before its first byte.
struct Case {
    name: &'static str,
    prepare: fn(&mut Rig),
    job: fn(FlashJob) -> FlashJob,
    class: Class,
    step: Step,
    cause: &'static str,
}

impl Case {
    const fn new(name: &'static str, prepare: fn(&mut Rig), step: Step, cause: &'static str) -> Self {
        Self { name, prepare, job: |job| job, class: Class::Infrastructure, step, cause }
    }
}

/// Has the mux give another disk, made of `name`.
fn give(rig: &mut Rig, name: &str, options: &[&str]) {
    let disk = rig.attach(name, options).unwrap();
    rig.mux[0] = format!("ln -sfn {} sd", disk.display());
}

/// A disk whose file another command prepares.
fn prepared(rig: &mut Rig, command: &str) {
    fs::write(rig.path("other"), vec![0; MEDIUM]).unwrap();
    run(Command::new("sh").arg("-c").arg(command).current_dir(rig.path("")));
    give(rig, "other", &[]);
}

const CASES: &[Case] = &[
    Case::new(
        "a mux that shows no disk",
        |rig| rig.mux[0] = "true".to_owned(),
        Step::Shell,
        "the storage mux gave the medium to this machine, but no disk `@/sd` appeared within 1 s",
    ),
    Case::new(
        "a mux that fails",
        |rig| rig.mux[0] = "echo no mux >&2; exit 3".to_owned(),
        Step::Bootloader,
        "`host` of the storage mux (`sh`) ended with exit status 3: `no mux`",
    ),
    Case::new(
        "a file in place of a disk",
        |rig| rig.mux[0] = "ln -sfn medium sd".to_owned(),
        Step::Shell,
        "`@/sd` is no block device",
    ),
    Case::new(
        "a mounted file system",
        |rig| {
            prepared(rig, "mkfs.ext4 -q -F other");
            let disk = rig.disk("other").to_owned();
            rig.mount(&[disk.to_str().unwrap()], "here");
        },
        Step::Shell,
        "has a file system that is mounted at `@/here`",
    ),
    Case::new(
        "swap space",
        |rig| prepared(rig, "mkswap other"),
        Step::Shell,
        "holds swap space, as a disk of this machine may",
    ),
    Case::new(
        "a write-protected disk",
        |rig| {
            fs::write(rig.path("other"), vec![0; MEDIUM]).unwrap();
            give(rig, "other", &["--read-only"]);
        },
        Step::Shell,
        "is write-protected",
    ),
    Case::new(
        "a disk of another size",
        |rig| rig.config = ", max_size: 8MiB".to_owned(),
        Step::Shell,
        "has 16777216 bytes, expected 0 to 8388608",
    ),
    Case {
        class: Class::Source,
        job: |job| {
            fs::File::options().write(true).open(&job.image).unwrap().set_len(MEDIUM as u64 + 1).unwrap();
            job
        },
        ..Case::new(
            "an image larger than the disk",
            |_| {},
            Step::Target,
            "the image is larger than the target: 16777217 bytes",
        )
    },
    Case {
        class: Class::Config,
        job: |job| FlashJob { wire: Some(Wire::Gzip), ..job },
        ..Case::new("a packed wire", |_| {}, Step::Plan, "a packed `--wire` needs a small Linux on the board")
    },
    Case {
        class: Class::Config,
        job: |job| FlashJob { expect_boot: Some("login:".to_owned()), ..job },
        ..Case::new("a boot without a console", |_| {}, Step::Plan, "the flasher has no child `serial`")
    },
    Case {
        class: Class::Config,
        job: |job| FlashJob { via: Some(Via::Uboot), ..job },
        ..Case::new("another way", |_| {}, Step::Resolve, "the flasher's config names no `targets`")
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_boards_medium_is_not_touched() {
    for case in CASES {
        let Some(mut rig) = Rig::new() else { return };
        (case.prepare)(&mut rig);
        let names = ["medium", "other"].map(|name| fs::read(rig.path(name)).ok());
        let (receipt, _) = rig.flash((case.job)(rig.job(&sample()))).await;
        let failure = receipt.failure.unwrap();
        let cause = case.cause.replace('@', &rig.path("").display().to_string()).replace("//", "/");
        assert!(failure.cause.contains(&cause), "{}: {}", case.name, failure.cause);
        assert_eq!((failure.class, failure.step), (case.class, case.step), "{}: {failure:#?}", case.name);
        assert_eq!(failure.medium, Some(MediumState::Untouched), "{}", case.name);
        assert!(failure.help.is_some(), "{}: it says what to do", case.name);
        let after = ["medium", "other"].map(|name| fs::read(rig.path(name)).ok());
        // A mounted file system is written by the kernel.
        assert!(case.name == "a mounted file system" || names == after, "{}: a byte was written", case.name);
        let given =
            if case.class == Class::Infrastructure || case.step == Step::Target { "host dut" } else { "" };
        assert_eq!(rig.orders(), given, "{}: the board has its medium back", case.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_another_program_uses_is_refused() {
    let Some(rig) = Rig::new() else { return };
    let exclusive = rustix::fs::OFlags::EXCL.bits().cast_signed();
    let _held = fs::File::options().read(true).custom_flags(exclusive).open(rig.disk("medium")).unwrap();
    let failure = rig.flash(rig.job(&sample())).await.0.failure.unwrap();
    let disk = rig.disk("medium").display().to_string();
    assert_eq!(failure.cause, format!("another program or the kernel uses `{disk}`"));
    assert!(rig.medium("medium").iter().all(|byte| *byte == 0xa5));
}

#[tokio::test(flavor = "multi_thread")]
async fn media_that_may_hold_swap_are_written() {
    let Some(mut rig) = Rig::new() else { return };
    prepared(&mut rig, "mkswap other");
    rig.config = ", may_hold: [swap]".to_owned();
    let content = sample();
    let (receipt, _) = rig.flash(rig.job(&content)).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert!(rig.medium("other").starts_with(&content));
}

/// A disk whose file has no room: the kernel takes writes, and says once that they failed.
fn full(rig: &mut Rig) {
    rig.mount(&["-t", "tmpfs", "-o", "size=4m", "full"], "small");
    fs::File::create(rig.path("small/disk")).unwrap().set_len(MEDIUM as u64).unwrap();
    rig.attach("small/disk", &[]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_disk_is_never_a_success() {
    let Some(mut rig) = Rig::new() else { return };
    full(&mut rig);
    rig.mux[0] = format!("ln -sfn {} sd", rig.disk("small/disk").display());
    let failure = rig.flash(FlashJob { retries: 1, ..rig.job(&noise(12 * MIB, 3)) }).await.0.failure.unwrap();
    assert_eq!((failure.class, failure.step), (Class::Medium, Step::Write), "{failure:#?}");
    assert!(
        failure.cause.contains("Input/output error") || failure.cause.contains("No space"),
        "{}",
        failure.cause
    );
    assert_eq!(rig.orders(), "host dut host dut", "an attempt after it writes everything anew");
}

/// The second attempt finds another card in the reader, and leaves it alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_swapped_between_attempts_is_left_alone() {
    let Some(mut rig) = Rig::new() else { return };
    full(&mut rig);
    let [first, second] = ["small/disk", "medium"].map(|name| rig.disk(name).display().to_string());
    rig.mux[0] = format!("if grep -q dut orders; then ln -sfn {second} sd; else ln -sfn {first} sd; fi");
    let failure = rig.flash(FlashJob { retries: 3, ..rig.job(&noise(12 * MIB, 3)) }).await.0.failure.unwrap();
    assert_eq!(failure.cause, format!("`{second}` is another medium than the one that was written before"));
    assert!(rig.medium("medium").iter().all(|byte| *byte == 0xa5), "the other card was written");
    assert_eq!(rig.orders(), "host dut host dut");
}

/// Power goes off before the medium is taken, and on only when the board has it back.
#[tokio::test(flavor = "multi_thread")]
async fn the_board_boots_what_was_written_on_its_card() {
    let content = sample();
    for (expect, power_off) in [(Some("booted from medium"), true), (None, false)] {
        let Some(mut rig) = Rig::new() else { return };
        rig.nodes = format!(
            "  board: {{ type: sim-board, config: {{ medium: ./medium, size: {MEDIUM}, bootdelay: 1 }} }}\n"
        );
        rig.children = "      serial: { ref: board.serial }\n      power: { ref: board.power }\n".to_owned();
        let expect_boot = expect.map(str::to_owned);
        let (receipt, events) = rig.flash(FlashJob { expect_boot, power_off, ..rig.job(&content) }).await;
        must_be_proven(&rig, &content, &receipt);
        let expected = if power_off { PowerState::Off } else { PowerState::On };
        assert_eq!(receipt.power, expected);
        assert_eq!(events.iter().any(|it| matches!(it, Event::Console { .. })), expect.is_some());
    }
}

/// A job that is stopped lets go of the disk, and the board gets it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_stopped_gives_the_medium_back() {
    let Some(rig) = Rig::new() else { return };
    let job = rig.job(&noise(12 * MIB, 3));
    let tree = exporter_yaml::load(&rig.exporter()).unwrap_or_else(|findings| panic!("{findings}"));
    let (stop, stopped) = (job.stop.clone(), Arc::new(AtomicBool::new(false)));
    let seen = Arc::clone(&stopped);
    let progress = move |event| {
        if matches!(event, Event::StepBegun { step: Step::Write }) {
            seen.store(true, Ordering::SeqCst);
            stop.cancel();
        }
    };
    let receipt = tree.flasher(None).unwrap().flash(job, Arc::new(progress)).await;
    assert!(stopped.load(Ordering::SeqCst));
    assert_eq!(receipt.class(), Some(Class::Interrupted), "{:#?}", receipt.failure);
    assert_eq!(rig.orders(), "host dut");
    let exclusive = rustix::fs::OFlags::EXCL.bits().cast_signed();
    fs::File::options().read(true).custom_flags(exclusive).open(rig.disk("medium")).unwrap();
}
