//! `flasher demo --fault`: each fault ends as a user of a real board with it would see it.

use std::sync::{Arc, Mutex};

use super::{Ran, flasher};

/// Runs a demo with a fault.
fn demo(fault: &str) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    flasher().args(["demo", "--fault", fault]).current_dir(folder.path()).output().unwrap().into()
}

/// The fault, its exit code, the root cause that is named (any where it is empty), and words of what is printed.
const ENDS: &[(&str, i32, &str, &str)] = &[
    ("image-cut-short", 3, "image-damaged", "is shorter than its own partition table says"),
    ("image-changed", 3, "image-damaged", "expected sha256"),
    ("medium-too-small", 3, "medium-too-small", "the image is larger than the target"),
    ("power-stuck", 4, "switch-failed", "medium:     untouched"),
    ("no-autoboot-stop", 5, "keys-not-taken", "= step:       bootloader"),
    ("other-prompt", 2, "other-prompt", "the boot loader's prompt is `sim>`"),
    ("console-noise", 4, "wrong-speed", "= step:       bootloader"),
    ("console-losses", 0, "", "proven  48 MiB"),
    ("no-network", 5, "no-ethernet", "no Ethernet device"),
    ("no-dhcp", 4, "dhcp-silent", "no address by DHCP"),
    ("no-boot-file", 4, "other-server-answers", "no such file"),
    ("network-losses", 0, "", "proven  48 MiB"),
    ("kernel-hangs", 5, "kernel-silent", "within 6 s"),
    ("board-resets", 5, "boot-loader-again", "= step:       shell"),
    ("password", 5, "login-refused", "= step:       shell"),
    ("no-download-tool", 2, "tool-missing", "neither `wget` nor `curl`"),
    ("no-medium", 5, "no-medium", "no block device"),
    ("counterfeit", 6, "counterfeit", "= class:      medium"),
    ("write-error", 6, "write-error", "writing `/dev/mmcblk0` failed"),
    ("medium-stuck", 4, "medium-hangs", "stands still"),
    ("power-cut", 0, "", "proven  48 MiB"),
    ("bit-flip", 6, "writes-lost", "differ, twice"),
    ("read-error", 6, "read-error", "cannot be read back"),
    ("lost-writes", 6, "writes-lost", "= step:       verify"),
    ("stale-reads", 6, "writes-lost", "= step:       verify"),
];

#[test]
fn every_fault_ends_as_it_must() {
    let left = Arc::new(Mutex::new(ENDS.iter().collect::<Vec<_>>()));
    let check = |left: &Mutex<Vec<&(&str, i32, &str, &str)>>| {
        while let Some(&(fault, code, cause, words)) = { left.lock().unwrap().pop() } {
            let ran = demo(fault);
            let said = format!("{}{}", ran.out, ran.err);
            assert!(ran.code == code && said.contains(words), "{fault}: exit code {}\n{said}", ran.code);
            assert!(said.contains(&format!("   = cause:      {cause}")) || code == 0, "{fault}\n{said}");
            assert!(said.starts_with("proven") || said.contains("mended by: "), "{fault}\n{said}");
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(|| check(&left))).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
    let listed: Ran = flasher().args(["demo", "--list-faults"]).output().unwrap().into();
    let names = listed.out.lines().take_while(|line| !line.is_empty());
    let names: Vec<&str> = names.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ENDS.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
}

#[test]
fn what_is_no_fault_is_refused_in_words() {
    let check = |args: &[&str], words: &str| {
        let ran: Ran = flasher().arg("demo").args(args).output().unwrap().into();
        assert!(ran.code == 2 && ran.err.contains(words), "{args:?}: {} {}", ran.code, ran.err);
    };
    check(&["--fault", "bit-flop"], "a similar value exists: 'bit-flip'");
    check(&["--fault", "bit-flip", "--board", "qemu"], "only the simulated board has faults");
    check(&["--fault", "bit-flip", "--image", "os.img"], "cannot be used with");
    check(&["--list-faults", "--fault", "bit-flip"], "cannot be used with");
}
