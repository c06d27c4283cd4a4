//! `flasher demo --fault`: each fault ends as a user of a real board with it would see it.

use std::sync::{Arc, Mutex};

use super::{Ran, flasher};

/// Runs a demo with a fault.
fn demo(fault: &str) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    flasher().args(["demo", "--fault", fault]).current_dir(folder.path()).output().unwrap().into()
}

/// The fault, its exit code, and words of what is printed.
const ENDS: &[(&str, i32, &str)] = &[
    ("image-cut-short", 3, "is shorter than its own partition table says"),
    ("image-changed", 3, "expected sha256"),
    ("medium-too-small", 3, "the image is larger than the target"),
    ("power-stuck", 4, "medium:     untouched"),
    ("no-autoboot-stop", 5, "= step:       bootloader"),
    ("other-prompt", 2, "the boot loader's prompt is `sim>`"),
    ("console-noise", 4, "= step:       bootloader"),
    ("console-losses", 0, "proven  48 MiB"),
    ("no-network", 5, "no Ethernet device"),
    ("no-dhcp", 4, "no address by DHCP"),
    ("no-boot-file", 4, "no such file"),
    ("network-losses", 0, "proven  48 MiB"),
    ("kernel-hangs", 5, "within 6 s"),
    ("board-resets", 5, "= step:       shell"),
    ("password", 5, "= step:       shell"),
    ("no-download-tool", 2, "neither `wget` nor `curl`"),
    ("no-medium", 5, "no block device"),
    ("counterfeit", 6, "= class:      medium"),
    ("write-error", 6, "writing `/dev/mmcblk0` failed"),
    ("medium-stuck", 4, "stands still"),
    ("power-cut", 0, "proven  48 MiB"),
    ("bit-flip", 6, "differ, twice"),
    ("read-error", 6, "cannot be read back"),
    ("lost-writes", 6, "= step:       verify"),
    ("stale-reads", 6, "= step:       verify"),
];

#[test]
fn every_fault_ends_as_it_must() {
    let left = Arc::new(Mutex::new(ENDS.iter().collect::<Vec<_>>()));
    let check = |left: &Mutex<Vec<&(&str, i32, &str)>>| {
        while let Some(&(fault, code, words)) = { left.lock().unwrap().pop() } {
            let ran = demo(fault);
            let said = format!("{}{}", ran.out, ran.err);
            assert!(ran.code == code && said.contains(words), "{fault}: exit code {}\n{said}", ran.code);
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
