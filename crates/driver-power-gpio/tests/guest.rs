//! Tests with real lines in a guest that has a GPIO chip: Debian's kernel under QEMU, with the test program of this crate
//! as all there is to run. `cargo xtask gpio-guest` brings the kernel; the guest has no network and no disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers of tests

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use driver_power_gpio as _;

/// Registers of the chip, in memory that the kernel's command line reserves.
const REGISTERS: u32 = 0x0f00_0000;
const BUSYBOX: &str = "/usr/bin/busybox";
const INIT: &str = "#!/bin/busybox sh
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev
busybox insmod /gpio-generic.ko
busybox insmod /gpio-amdpt.ko
FLASHER_TEST_GPIO=/dev/gpiochip0:3 RUST_BACKTRACE=0 CI=true /test --test-threads=1 --nocapture real
echo \"the tests ended with $?\"
busybox poweroff -f
";

#[test]
fn the_stories_of_real_lines_hold_in_a_guest_with_a_chip() {
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/gpio-guest");
    let wanted = [
        kernel.join("vmlinuz"),
        kernel.join("gpio-generic.ko"),
        kernel.join("gpio-amdpt.ko"),
        BUSYBOX.into(),
    ];
    let missing = wanted.iter().find(|it| !it.is_file()).map(|it| it.display().to_string());
    let qemu = Path::new("/usr/bin/qemu-system-x86_64");
    let missing = missing.or_else(|| (!qemu.is_file()).then(|| qemu.display().to_string()));
    if let Some(missing) = missing {
        assert!(std::env::var_os("CI").is_none(), "{missing} is missing: run `cargo xtask gpio-guest`");
        eprintln!("skipped: {missing} is missing; `cargo xtask gpio-guest` brings it on Debian");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (table, ramdisk) = (folder.path().join("chip.aml"), folder.path().join("initrd"));
    fs::write(&table, chip()).unwrap();
    fs::write(&ramdisk, archive(&files(&kernel))).unwrap();
    let console = boot(qemu, &kernel.join("vmlinuz"), &ramdisk, &table);
    for story in [
        "a_line_of_a_real_chip_is_driven_held_and_given_back ... ok",
        "auto_takes_the_chip_where_there_is_one ... ok",
        "the tests ended with 0",
    ] {
        assert!(console.contains(story), "no `{story}` in:\n{console}");
    }
    assert!(!console.contains("no gpio-sim in this kernel"), "the guest has no chip:\n{console}");
}

/// What the guest prints until it switches itself off, or two minutes are over.
fn boot(qemu: &Path, kernel: &Path, ramdisk: &Path, table: &Path) -> String {
    let leave_alone = format!("memmap=4K${REGISTERS:#x}");
    let output = Command::new("timeout")
        .arg("120")
        .arg(qemu)
        .args(["-machine", "q35", "-accel", "tcg", "-m", "256", "-display", "none", "-serial", "stdio"])
        .args(["-monitor", "none", "-no-reboot", "-nic", "none", "-kernel"])
        .arg(kernel)
        .arg("-initrd")
        .arg(ramdisk)
        .args(["-append", &format!("console=ttyS0 quiet panic=-1 {leave_alone}"), "-acpitable"])
        .arg(format!("file={}", table.display()))
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

/// Path in the guest, mode, content.
type Entry = (String, u32, Vec<u8>);

fn files(kernel: &Path) -> Vec<Entry> {
    let read = |path: &Path| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let test = unit_tests();
    let mut files: Vec<Entry> =
        ["bin", "dev", "proc", "sys", "tmp"].map(|it| (it.to_owned(), 0o040_755, vec![])).into();
    files.push(("init".to_owned(), 0o100_755, INIT.into()));
    files.push(("test".to_owned(), 0o100_755, read(&test)));
    files.push(("bin/busybox".to_owned(), 0o100_755, read(Path::new(BUSYBOX))));
    for module in ["gpio-generic.ko", "gpio-amdpt.ko"] {
        files.push((module.to_owned(), 0o100_644, read(&kernel.join(module))));
    }
    for library in libraries(&[&test, Path::new(BUSYBOX)]) {
        let path = library.trim_start_matches('/').to_owned();
        for (end, _) in path.match_indices('/') {
            let folder = path[..end].to_owned();
            if !files.iter().any(|it| it.0 == folder) {
                files.push((folder, 0o040_755, vec![]));
            }
        }
        files.push((path, 0o100_755, read(Path::new(&library))));
    }
    files
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

/// The loader and the libraries that programs ask for, as `ldd` tells.
fn libraries(programs: &[&Path]) -> Vec<String> {
    let output = Command::new("ldd").args(programs).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut paths: Vec<String> = text
        .split_whitespace()
        .filter(|it| it.starts_with('/') && !it.ends_with(':'))
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// An archive in cpio's "new ASCII" format, as the kernel unpacks it.
fn archive(files: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let end = ("TRAILER!!!".to_owned(), 0, vec![]);
    for (number, (path, mode, content)) in files.iter().chain([&end]).enumerate() {
        let length = u32::try_from(content.len()).unwrap();
        let name = u32::try_from(path.len() + 1).unwrap();
        bytes.extend(b"070701");
        for field in [u32::try_from(number).unwrap(), *mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name, 0] {
            bytes.extend(format!("{field:08X}").as_bytes());
        }
        bytes.extend(path.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}
