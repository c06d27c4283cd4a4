//! The real thing without hardware: a real U-Boot and a real Linux under QEMU, flashed, broken, and looked at from outside.
//!
//! Each case runs in a network and process namespace of its own: the test starts its own binary again below `unshare`,
//! and that one plays the case whose name it is given. Needs root, QEMU, U-Boot and the bundles of `cargo xtask qemu-bundle`.

mod bench;
mod card;
mod cases;
mod machines;

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::time::Instant;

use cases::{Case, FAULTS, PROVEN};
use machines::{MACHINES, Machine, WITH_LINUX};

/// Names the case to be played inside.
const CASE: &str = "FLASHER_QEMU_CASE";
const NAMESPACE: [&str; 5] = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
/// Emulated boards are slow enough one at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn qemu_images_targets_and_bundles_are_proven() {
    play_all(PROVEN);
}

#[test]
fn qemu_faults_end_proven_or_with_their_cause() {
    play_all(FAULTS);
}

#[test]
fn qemu_machines_are_flashed_by_their_boot_loaders_alone() {
    play_machines(MACHINES);
}

#[test]
fn qemu_machines_are_flashed_by_their_own_linux() {
    play_machines(WITH_LINUX);
}

/// Plays all machines one after the other; inside the namespace, the one that is asked for.
fn play_machines(machines: &[Machine]) {
    if let Ok(name) = env::var(CASE) {
        let Some(machine) = machines.iter().find(|machine| machine.name == name) else { return };
        run(Command::new("ip").args(["link", "set", "lo", "up"]));
        return tokio::runtime::Runtime::new().unwrap().block_on(machines::play(machine));
    }
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(why) = missing_board() {
        println!("skipped: {why}");
        return;
    }
    let mut names = Vec::new();
    for machine in machines {
        match machine.missing() {
            Some(why) => println!("skipped: {}", must_be_there(&why)),
            None => names.push(machine.name),
        }
    }
    play_each(&names);
}

/// Plays all cases one after the other; inside the namespace, the one that is asked for.
fn play_all(cases: &[Case]) {
    if let Ok(name) = env::var(CASE) {
        let Some(case) = cases.iter().find(|case| case.name == name) else { return };
        run(Command::new("ip").args(["link", "set", "lo", "up"]));
        return tokio::runtime::Runtime::new().unwrap().block_on(bench::play(case));
    }
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(why) = missing() {
        println!("skipped: {why}");
        return;
    }
    play_each(&cases.iter().map(|case| case.name).collect::<Vec<_>>());
}

/// Plays the cases of these names one after the other, each in a namespace of its own.
fn play_each(names: &[&str]) {
    let mut failed = Vec::new();
    for name in names {
        let begun = Instant::now();
        let outcome = played(name);
        println!(
            "{:7} {:5.1} s  {}",
            if outcome.is_ok() { "ok" } else { "FAILED" },
            begun.elapsed().as_secs_f64(),
            name
        );
        failed.extend(outcome.err().map(|text| format!("== {name}\n{text}")));
    }
    println!("{} cases ran on the emulated board", names.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Plays a case, and again when the emulator stopped bringing frames to U-Boot.
///
/// U-Boot's virtio driver has buffers for 32 frames and does not tell the device when it has emptied them. Where the machine is
/// so busy that all are filled before U-Boot looks, nothing arrives any more until the board is switched off: it asks for an address
/// in vain, or the server hears nothing for 30 s of a file that had begun.
fn played(name: &str) -> Result<(), String> {
    let stopped =
        |text: &String| ["ARP Retry count exceeded", "no answer in 30"].iter().any(|it| text.contains(it));
    for _ in 0..2 {
        match inside(name) {
            Err(text) if stopped(&text) => {
                println!("again: the emulator stopped bringing frames to `{name}`")
            }
            outcome => return outcome,
        }
    }
    inside(name)
}

/// The test harness gives each test a thread of its name.
pub(crate) fn test_name() -> String {
    std::thread::current().name().unwrap().to_owned()
}

fn inside(name: &str) -> Result<(), String> {
    let mut again = namespace();
    again.arg(env::current_exe().unwrap()).args(["--exact", &test_name(), "--nocapture"]);
    let output = again.env(CASE, name).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && text.contains("1 passed") {
        return Ok(());
    }
    Err(format!("{text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// `unshare` with what a private network namespace takes. In a plain chroot the root is no mount point, and mounts
/// have to stay as they are.
pub(crate) fn namespace() -> Command {
    static UNCHANGED: OnceLock<bool> = OnceLock::new();
    let plain = || {
        let mut command = Command::new("unshare");
        command.args(NAMESPACE);
        command
    };
    let works = || plain().arg("true").output().is_ok_and(|output| output.status.success());
    let mut command = plain();
    if *UNCHANGED.get_or_init(|| !works()) {
        command.args(["--propagation", "unchanged"]);
    }
    command
}

pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// Where `cargo xtask qemu-bundle` puts its bundles.
fn bundles() -> PathBuf {
    env::var_os("FLASHER_QEMU_BUNDLES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/qemu-bundle")),
        PathBuf::from,
    )
}

/// What the cases need and this machine has not. What CI could install must be there.
fn missing() -> Option<String> {
    missing_board().or_else(|| {
        let there = bundles().join("qemu-virt/manifest.yaml").is_file();
        (!there).then(|| must_be_there("the bundles are missing: cargo xtask qemu-bundle"))
    })
}

/// What the emulated board itself needs and this machine has not.
pub(crate) fn missing_board() -> Option<String> {
    let works = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    if !works(namespace().args(["ip", "tuntap", "add", "dev", "t0", "mode", "tap"])) {
        return Some("no root, no `ip`, or no taps: a private network namespace cannot be made".to_owned());
    }
    let board = board_qemu::Config::default();
    if !works(Command::new(board.emulator()).arg("--version")) {
        Some(must_be_there("qemu-system-aarch64 is missing: apt-get install qemu-system-arm"))
    } else if !board.boot_loader().is_file() {
        Some(must_be_there("U-Boot for QEMU is missing: apt-get install u-boot-qemu"))
    } else {
        None
    }
}

fn must_be_there(why: &str) -> String {
    assert!(env::var_os("CI").is_none(), "{why}");
    why.to_owned()
}
