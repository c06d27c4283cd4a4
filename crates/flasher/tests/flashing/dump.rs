//! `flasher dump` as a user sees it: a file, a packed file, a pipe; and a disk that is full.

use flasher_core::Verdict;

use crate::lab::{Lab, MEDIUM, text};

#[test]
fn a_medium_becomes_a_file_with_a_receipt_that_can_be_checked() {
    for (name, is_packed) in [("a.img", false), ("a.img.zst", true)] {
        let lab = Lab::new();
        let ran = lab.run("true", &["dump", name, "--receipt", "receipt.json"]);
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
        let file = std::fs::read(lab.path(name)).unwrap();
        let plain = if is_packed { zstd::decode_all(file.as_slice()).unwrap() } else { file };
        assert!(plain == lab.medium(), "{name} is something else than the medium");
        let receipt = lab.receipt();
        assert_eq!((receipt.verdict, receipt.image.source.as_str()), (Verdict::Proven, name));
        let told = text(&ran.stdout);
        let digest = receipt.image.decoded_sha256.unwrap();
        assert!(told.starts_with("proven") && told.contains(&format!("sha256:{digest}")), "{told}");
        let checked = lab.run("true", &["verify-receipt", "receipt.json", name]);
        assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
        std::fs::write(lab.path("other"), vec![1; MEDIUM]).unwrap();
        let checked = lab.run("true", &["verify-receipt", "receipt.json", "other"]);
        assert_eq!(checked.status.code(), Some(3), "{}", text(&checked.stdout));
        lab.assert_nothing_unfinished();
    }
}

#[test]
fn a_pipe_gets_the_medium_and_nothing_else() {
    let lab = Lab::new();
    let ran = lab.run("true", &["dump", "-"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert!(ran.stdout == lab.medium());
    assert!(text(&ran.stderr).contains("proven"), "{}", text(&ran.stderr));
    let ran = lab.run("true", &["--json", "dump", "-"]);
    assert_eq!(ran.status.code(), Some(2));
}

#[test]
fn a_disk_that_is_full_leaves_the_older_dump_and_no_other() {
    let lab = Lab::new();
    std::fs::write(lab.path("a.img"), "older").unwrap();
    // No file may grow beyond 1 MiB: a full disk for a program that does not ask why. The medium has its length already.
    let ran = lab.run("trap '' XFSZ; ulimit -f 2048", &["dump", "a.img", "--receipt", "receipt.json"]);
    assert_eq!(ran.status.code(), Some(4), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("cannot write the dump `a.img`"), "{}", text(&ran.stderr));
    assert_eq!(std::fs::read(lab.path("a.img")).unwrap(), b"older");
    assert_eq!(lab.receipt().verdict, Verdict::Failed);
    lab.assert_nothing_unfinished();
}

#[test]
fn a_place_where_no_dump_can_be_is_refused_at_once() {
    let lab = Lab::new();
    for out in [".", "no/where.img", "/dev/null"] {
        for remote in [&[][..], &["--remote", "127.0.0.1:1"]] {
            let ran = lab.run("true", &[remote, &["dump", out]].concat());
            assert_eq!(ran.status.code(), Some(2), "{out} {remote:?}");
        }
    }
}
