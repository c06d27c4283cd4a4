//! Tests with real lines in a guest that has a GPIO chip: Debian's kernel under QEMU, which runs the test program of this crate.
//! `cargo xtask test-guest` makes the guest; it has no network and no disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers of tests

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use driver_power_gpio as _;

/// Registers of the chip, in memory that the kernel's command line reserves.
const REGISTERS: u32 = 0x0f00_0000;
/// Test that is run in the guest.
const STORIES: &str = "real";

#[test]
fn the_stories_of_real_lines_hold_in_a_guest_with_a_chip() {
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-guest/boot");
    if !guest.is_file() {
        assert!(std::env::var_os("CI").is_none(), "no guest: run `cargo xtask test-guest`");
        eprintln!("skipped: no guest with a GPIO chip; `cargo xtask test-guest` makes it on Debian");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (table, script) = (folder.path().join("chip.aml"), folder.path().join("script"));
    fs::write(&table, chip()).unwrap();
    let variables = "FLASHER_TEST_GPIO=/dev/gpiochip0:3 TMPDIR=/run RUST_BACKTRACE=0 CI=true";
    let tests = unit_tests();
    fs::write(&script, format!("{variables} {} --test-threads=1 --nocapture {STORIES}\n", tests.display()))
        .unwrap();
    let console = boot(&guest, &script, &table);
    for story in [
        "a_line_of_a_real_chip_is_driven_held_and_given_back ... ok",
        "auto_takes_the_chip_where_there_is_one ... ok",
        "the script ended with 0",
    ] {
        assert!(console.contains(story), "no `{story}` in:\n{console}");
    }
    assert!(!console.contains("no gpio-sim in this kernel"), "the guest has no chip:\n{console}");
}

/// What the guest prints until it switches itself off.
fn boot(guest: &Path, script: &Path, table: &Path) -> String {
    let output = Command::new(guest)
        .arg(script)
        .args(["-acpitable", &format!("file={}", table.display())])
        .env("KERNEL_OPTIONS", format!("memmap=4K${REGISTERS:#x}"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// An ACPI table (SSDT) with one device: `_HID` is that of the chip, `_CRS` its registers. AML as in ACPI 6.5, chapter 20.
fn chip() -> Vec<u8> {
    let mut resources = vec![0x86, 9, 0, 1]; // Memory32Fixed, read and write
    resources.extend(REGISTERS.to_le_bytes());
    resources.extend(0x100_u32.to_le_bytes());
    resources.extend([0x79, 0]); // end tag
    let length = u8::try_from(resources.len()).unwrap();
    let buffer = [&[0x11][..], &packaged(&[&[0x0a, length][..], &resources].concat())].concat();
    let device = [&b"GPI0\x08_HID\x0dAMDF030\0\x08_CRS"[..], &buffer].concat();
    let device = [&[0x5b, 0x82][..], &packaged(&device)].concat();
    let scope = [&[0x10][..], &packaged(&[&b"\\_SB_"[..], &device].concat())].concat();
    let mut table = b"SSDT".to_vec();
    table.extend(u32::try_from(36 + scope.len()).unwrap().to_le_bytes());
    table.extend([2, 0]);
    table.extend(b"FLASHRGPIOTEST\x01\0\0\0FLSH\x01\0\0\0");
    table.extend(scope);
    table[9] = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg();
    table
}

/// A package with its length, which counts itself.
fn packaged(content: &[u8]) -> Vec<u8> {
    let length = content.len() + 1;
    let head = if length < 0x40 {
        vec![u8::try_from(length).unwrap()]
    } else {
        let length = content.len() + 2;
        vec![0x40 | u8::try_from(length & 0xf).unwrap(), u8::try_from(length >> 4).unwrap()]
    };
    [head, content.to_vec()].concat()
}

/// The unit tests of this crate, which cargo built beside this program; the newest when there are several.
fn unit_tests() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let beside = fs::read_dir(here.parent().unwrap()).unwrap().flatten().map(|it| it.path());
    let tests = beside.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("driver_power_gpio-") && path.extension().is_none()
    });
    tests
        .max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap())
        .expect("the unit tests are built")
}
