//! The RAM disk's own scripts, run by the host's busybox.

use super::*;
use std::process::Command;
use xtask_support::programs::has_program;

fn busybox() -> bool {
    let there = has_program("busybox");
    if !there {
        println!("skipped: no busybox on this machine");
    }
    there
}

#[test]
fn the_scripts_are_what_a_busybox_shell_understands() {
    if !busybox() {
        return;
    }
    let tree = tempfile::tempdir().unwrap();
    for (path, ..) in FILES.iter().filter(|it| it.1) {
        let text = FILES.iter().find(|it| it.0 == *path).unwrap().2;
        let file = tree.path().join("script");
        fs::write(&file, text).unwrap();
        let output = Command::new("busybox").args(["sh", "-n"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn partition_names_become_links_and_old_links_go() {
    if !busybox() {
        return;
    }
    let tree = tempfile::tempdir().unwrap();
    let (sys, dev) = (tree.path().join("sys"), tree.path().join("dev"));
    let disks = [
        ("vda", "MAJOR=254\nDEVNAME=vda\nDEVTYPE=disk\n"),
        ("vda1", "DEVNAME=vda1\nDEVTYPE=partition\nPARTN=1\nPARTNAME=boot_a\n"),
        ("vda2", "DEVNAME=vda2\nPARTNAME=EFI System/1\n"),
    ];
    for (name, text) in disks {
        let folder = sys.join("class/block").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("uevent"), text).unwrap();
    }
    let links = dev.join("disk/by-partlabel");
    fs::create_dir_all(&links).unwrap();
    fs::write(links.join("stale"), "").unwrap();

    let script = tree.path().join("refresh-partlabels");
    fs::write(&script, include_str!("../rootfs/refresh-partlabels")).unwrap();
    let status = Command::new("busybox").arg("sh").arg(&script).env("SYS", &sys).env("DEV", &dev).status();
    assert!(status.unwrap().success());
    let mut found: Vec<(String, String)> = fs::read_dir(&links)
        .unwrap()
        .map(|it| it.unwrap().path())
        .map(|it| (it.file_name().unwrap().to_string_lossy().into(), fs::read_link(&it).unwrap()))
        .map(|(name, target)| (name, target.to_string_lossy().into_owned()))
        .collect();
    found.sort();
    let expected = [(r"EFI\x20System\x2f1", "../../vda2"), ("boot_a", "../../vda1")];
    assert_eq!(found, expected.map(|(name, target)| (name.to_owned(), target.to_owned())));
}

#[test]
fn equal_content_compresses_to_equal_bytes() {
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir_all(tree.path().join("bin")).unwrap();
    fs::write(tree.path().join("bin/busybox"), "busybox").unwrap();
    let module = tree.path().join("nvme.ko");
    fs::write(&module, "module").unwrap();
    let modules = vec![("nvme", vec![module.clone()])];
    let build = || gzip(&plain(tree.path(), &modules).unwrap()).unwrap();
    let first = build();
    fs::write(&module, "module").unwrap();
    assert_eq!(build(), first);
    assert_eq!(first[4..8], [0; 4], "RFC 1952: MTIME 0 means no time stamp");
}

#[test]
fn a_missing_library_and_a_missing_program_are_named() {
    let tree = tempfile::tempdir().unwrap();
    let error = library("libz.so.1", tree.path()).unwrap_err().to_string();
    assert_eq!(error, "needs `libz.so.1`, which none of the packages has");
    let error = plain(tree.path(), &Vec::new()).unwrap_err().to_string();
    assert_eq!(error, format!("cannot read {}", tree.path().join("bin/busybox").display()));
}
