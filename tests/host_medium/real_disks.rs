//! What disks of a real driver do, in a guest whose kernel has one that errs on demand (scsi_debug, dm-flakey).
//!
//! The test starts its own binary again in the guest that `cargo xtask test-guest` makes, and that one plays the cases.

use std::env;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flasher_core::flash::MediumState;
use flasher_core::{Class, Event, FlashJob, Receipt, RootCause, Step, Verdict};

use super::rig::{Rig, run};
use crate::lab::noise;

/// Set in the guest.
const INSIDE: &str = "FLASHER_TEST_GUEST";
/// The parameters of the driver, while it is loaded.
const KNOBS: &str = "/sys/bus/pseudo/drivers/scsi_debug";
const MIB: usize = 1 << 20;
const DISK: usize = 16 * MIB;

/// A case: its name, and what it plays.
type Case = (&'static str, fn());

const CASES: &[Case] = &[
    ("an image is proven", proven),
    ("an error of a read, once", read_error),
    ("an error of a write, once", write_error),
    ("writes that end short", short_writes),
    ("writes that are lost", lost_writes),
    ("a disk that only pretends to work", pretending),
    ("a disk that shows more than it has", false_capacity),
    ("a disk that comes back under another name", another_name),
    ("another disk in its place", another_disk),
    ("a card with its write protection on", write_protected),
];

#[test]
fn disks_of_a_real_driver_are_proven_or_refused() {
    if env::var_os(INSIDE).is_some() {
        for (name, play) in CASES {
            let begun = Instant::now();
            println!("case     {name}");
            play();
            println!("ok       {name}: {:.1} s", begun.elapsed().as_secs_f64());
        }
        return;
    }
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-guest/boot");
    if !guest.is_file() {
        assert!(env::var_os("CI").is_none(), "no guest: run `cargo xtask test-guest`");
        println!("skipped: no guest with such disks; `cargo xtask test-guest` makes it on Debian");
        return;
    }
    let console = inside(&guest);
    let played = CASES.iter().filter(|(name, _)| console.contains(&format!("ok       {name}: "))).count();
    assert!(console.contains("the script ended with 0") && played == CASES.len(), "{console}");
    println!("{played} cases were played on disks of a real driver");
}

/// Plays this test in the guest, and gives what was printed there.
fn inside(guest: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    let (test, name) = (env::current_exe().unwrap(), std::thread::current().name().unwrap().to_owned());
    let search = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let variables = format!("{search} TMPDIR=/run HOME=/run {INSIDE}=1 CI=true RUST_BACKTRACE=0");
    fs::write(&script, format!("export {variables}\n{} --exact {name} --nocapture\n", test.display()))
        .unwrap();
    let output = Command::new(guest).arg(&script).stdin(Stdio::null()).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The driver and its disks, of which there may be several.
struct Disks;

impl Disks {
    /// Loads the driver with these options, and waits for as many disks.
    fn plug(options: &[&str], count: usize) -> (Self, Vec<PathBuf>) {
        run(Command::new("insmod").arg("/run/modules/scsi_debug.ko").args(options));
        (Self, disks(count))
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        Command::new("rmmod").arg("scsi_debug").status().ok();
    }
}

/// The disks there are, once they are so many.
fn disks(count: usize) -> Vec<PathBuf> {
    let begun = Instant::now();
    loop {
        let entries = fs::read_dir("/sys/block").unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        let mut disks: Vec<String> = names.filter(|name| name.starts_with("sd")).collect();
        disks.sort();
        let ready = |name: &String| {
            Path::new("/dev").join(name).exists()
                && fs::read_to_string(format!("/sys/block/{name}/size")).is_ok()
        };
        if disks.len() == count && disks.iter().all(ready) {
            return disks.iter().map(|name| Path::new("/dev").join(name)).collect();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no {count} disks: {disks:?}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn flash(rig: &Rig, job: FlashJob) -> (Receipt, Vec<Event>) {
    tokio::runtime::Runtime::new().unwrap().block_on(rig.flash(job))
}

/// A lab whose mux makes `disk` the medium.
fn rig(disk: &Path) -> Rig {
    let mut rig = Rig::empty();
    rig.mux = [format!("ln -sfn {} sd", disk.display()), "rm -f sd".to_owned()];
    rig
}

fn must_be_proven(receipt: &Receipt, disk: &Path, content: &[u8], attempts: u32) {
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert_eq!(receipt.attempts, attempts, "{:#?}", receipt.history);
    assert!(on_disk(disk)[..content.len()] == *content, "a false success");
}

/// What the disk itself holds, whatever the kernel has cached of it.
fn on_disk(disk: &Path) -> Vec<u8> {
    run(Command::new("blockdev").arg("--flushbufs").arg(disk));
    fs::read(disk).unwrap()
}

fn must_fail(receipt: &Receipt, class: Class, step: Step, cause: RootCause) {
    assert_eq!(receipt.verdict, Verdict::Failed);
    let failure = receipt.failure.as_ref().unwrap();
    let named = failure.diagnosis.as_ref().map(|diagnosis| diagnosis.root_cause);
    assert_eq!((failure.class, failure.step, named), (class, step, Some(cause)), "{failure:#?}");
}

fn proven() {
    let (_driver, disks) = Disks::plug(&["dev_size_mb=16"], 1);
    let (rig, content) = (rig(&disks[0]), noise(5 * MIB, 1));
    let (receipt, _) = flash(&rig, rig.job(&content));
    must_be_proven(&receipt, &disks[0], &content, 1);
    let identity = &receipt.medium.as_ref().unwrap().identity;
    assert_eq!(identity["model"], "scsi_debug", "{identity:?}");
    assert!(identity["wwid"].starts_with("naa."), "{identity:?}");
}

/// The driver refuses to read some sectors (`opts=2`) until the board has had the medium back once.
fn read_error() {
    let bad = ["dev_size_mb=16", "opts=2", "medium_error_start=6000", "medium_error_count=4"];
    let (_driver, disks) = Disks::plug(&bad, 1);
    let (mut rig, content) = (rig(&disks[0]), noise(5 * MIB, 2));
    let (receipt, _) = flash(&rig, rig.job(&content));
    must_fail(&receipt, Class::Medium, Step::Verify, RootCause::ReadError);
    rig.mux[1] += &format!("; echo 0 >{KNOBS}/opts");
    let (receipt, _) = flash(&rig, FlashJob { retries: 1, ..rig.job(&noise(5 * MIB, 3)) });
    must_be_proven(&receipt, &disks[0], &noise(5 * MIB, 3), 2);
}

/// A disk of the device mapper; `table` is what it is made of.
struct Mapped;

impl Mapped {
    const NAME: &str = "flasher-test";

    fn new(table: &str) -> Self {
        run(Command::new("dmsetup").args(["create", Self::NAME, "--noudevsync"]).arg("--table").arg(table));
        Self
    }

    /// It is the only one of its kind.
    fn node() -> PathBuf {
        PathBuf::from("/dev/dm-0")
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        Command::new("dmsetup").args(["remove", "--noudevsync", "--force", Self::NAME]).status().ok();
    }
}

/// Writes fail until the board has had the medium back once; then everything is written anew.
fn write_error() {
    let (_driver, disks) = Disks::plug(&["dev_size_mb=16"], 1);
    let (under, sectors) = (disks[0].display(), DISK / 512);
    let _mapped = Mapped::new(&format!("0 {sectors} flakey {under} 0 0 60 1 error_writes"));
    let (mut rig, content) = (rig(&Mapped::node()), noise(5 * MIB, 4));
    let (receipt, _) = flash(&rig, rig.job(&content));
    must_fail(&receipt, Class::Medium, Step::Write, RootCause::WriteError);
    let works = format!(
        "echo 0 {sectors} linear {under} 0 | dmsetup load {0}; dmsetup resume --noudevsync {0}",
        Mapped::NAME
    );
    rig.mux[1] += &format!("; {works}");
    let (receipt, _) = flash(&rig, FlashJob { retries: 1, ..rig.job(&content) });
    must_be_proven(&receipt, &Mapped::node(), &content, 2);
}

/// In the middle there is nothing: a write across it ends short, the next one fails.
fn short_writes() {
    let (_driver, disks) = Disks::plug(&["dev_size_mb=16"], 1);
    let (good, bad, all) = (3 * MIB / 512 + 8, 64, DISK / 512);
    let (under, after) = (disks[0].display(), good + bad);
    let table = format!(
        "0 {good} linear {under} 0\n{good} {bad} error\n{after} {} linear {under} {after}",
        all - after
    );
    let _mapped = Mapped::new(&table);
    let (rig, content) = (rig(&Mapped::node()), noise(5 * MIB, 5));
    let (receipt, _) = flash(&rig, rig.job(&content));
    must_fail(&receipt, Class::Medium, Step::Write, RootCause::WriteError);
}

/// The disk takes writes, says that they are done, and keeps what it had.
fn lost_writes() {
    let (_driver, disks) = Disks::plug(&["dev_size_mb=16"], 1);
    let table = format!("0 {} flakey {} 0 0 60 1 drop_writes", DISK / 512, disks[0].display());
    let _mapped = Mapped::new(&table);
    let rig = rig(&Mapped::node());
    let (receipt, _) = flash(&rig, rig.job(&noise(5 * MIB, 6)));
    must_fail(&receipt, Class::Medium, Step::Verify, RootCause::WritesLost);
}

/// Reads and writes succeed, and move no data (`fake_rw`): a buffer that is read into keeps what was in it.
fn pretending() {
    let (_driver, disks) = Disks::plug(&["dev_size_mb=16", "fake_rw=1"], 1);
    let rig = rig(&disks[0]);
    let (receipt, _) = flash(&rig, rig.job(&noise(5 * MIB, 7)));
    must_fail(&receipt, Class::Medium, Step::Verify, RootCause::WritesLost);
}

/// 1 GiB on the label and 8 MiB inside: what is written behind them lies at the beginning again.
fn false_capacity() {
    let (_driver, disks) = Disks::plug(&["dev_size_mb=8", "virtual_gb=1"], 1);
    let rig = rig(&disks[0]);
    let (receipt, _) = flash(&rig, rig.job(&noise(12 * MIB, 8)));
    must_fail(&receipt, Class::Medium, Step::Write, RootCause::Counterfeit);
}

/// Goes while it is written, and comes back as `sdb`, because `sda` is still open.
fn another_name() {
    let (_driver, disks) = Disks::plug(&["dev_size_mb=16"], 1);
    let keeper = fs::File::open(&disks[0]).unwrap();
    let (mut rig, content) = (rig(&disks[0]), noise(5 * MIB, 9));
    let host = "for host in /sys/class/scsi_host/*; do echo - - - >$host/scan; done; sleep 1; \
                for disk in /sys/block/sd*; do ln -sfn /dev/${disk##*/} sd; done";
    rig.mux[0] = host.replace('\n', " ");
    rig.watch = Some(Arc::new({
        let name = disks[0].file_name().unwrap().to_str().unwrap().to_owned();
        move |event: &Event| {
            if matches!(event, Event::StepBegun { step: Step::Write }) {
                fs::write(format!("/sys/block/{name}/device/delete"), "1").ok();
            }
        }
    }));
    let (receipt, _) = flash(&rig, FlashJob { retries: 1, ..rig.job(&content) });
    must_be_proven(&receipt, Path::new("/dev/sdb"), &content, 2);
    drop(keeper);
}

/// The second attempt finds another disk, and leaves it alone. Of both, some sectors behind the first 2 MiB cannot be read.
fn another_disk() {
    let options = ["dev_size_mb=16", "add_host=2", "per_host_store=1"];
    let bad = ["opts=2", "medium_error_start=6000", "medium_error_count=4"];
    let (_driver, disks) = Disks::plug(&[&options[..], &bad].concat(), 2);
    let before = beginning(&disks[1]);
    let mut rig = rig(&disks[0]);
    let [first, second] = [&disks[0], &disks[1]].map(|disk| disk.display().to_string());
    rig.mux[0] = format!("if grep -q dut orders; then ln -sfn {second} sd; else ln -sfn {first} sd; fi");
    let (receipt, _) = flash(&rig, FlashJob { retries: 1, ..rig.job(&noise(5 * MIB, 10)) });
    must_fail(&receipt, Class::Infrastructure, Step::Shell, RootCause::OtherDisk);
    let failure = receipt.failure.as_ref().unwrap();
    assert_eq!(failure.cause, format!("`{second}` is another medium than the one that was written before"));
    assert!(beginning(&disks[0]) != before && beginning(&disks[1]) == before, "the other disk was written");
}

/// The first 2 MiB of a disk.
fn beginning(disk: &Path) -> Vec<u8> {
    run(Command::new("blockdev").arg("--flushbufs").arg(disk));
    let mut bytes = vec![0; 2 * MIB];
    fs::File::open(disk).unwrap().read_exact(&mut bytes).unwrap();
    bytes
}

fn write_protected() {
    let (_driver, disks) = Disks::plug(&["dev_size_mb=16", "wp=1"], 1);
    let rig = rig(&disks[0]);
    let (receipt, _) = flash(&rig, rig.job(&noise(MIB, 11)));
    must_fail(&receipt, Class::Infrastructure, Step::Shell, RootCause::WriteProtected);
    assert_eq!(receipt.failure.as_ref().unwrap().medium, Some(MediumState::Untouched));
}
