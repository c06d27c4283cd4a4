//! How much a flash tells: less with `--quiet`, more with `-v` and `-vv`, all of it in the file of `--log`.

use crate::lab::{Lab, assert_in_order, events, make_disk, text};

/// A lab with an image to flash.
fn lab() -> Lab {
    let lab = Lab::new();
    let mut image = lab.medium();
    make_disk(&mut image);
    std::fs::write(lab.path("image"), image).unwrap();
    lab
}

fn flash(lab: &Lab, more: &[&str]) -> std::process::Output {
    let ran = lab.run("true", &[more, &["flash", "image", "--no-cache"]].concat());
    assert_eq!(ran.status.code(), Some(0), "{more:?}: {}", text(&ran.stderr));
    ran
}

#[test]
fn each_v_tells_more_and_quiet_tells_the_verdict_only() {
    let lab = lab();
    let told = |more: &[&str]| {
        let ran = flash(&lab, more);
        assert!(text(&ran.stdout).starts_with("proven"), "{more:?}: {}", text(&ran.stdout));
        text(&ran.stderr)
    };
    assert_eq!(told(&["--quiet"]), "");
    let [normal, verbose, debug] = [&[][..], &["-v"], &["-vv"]].map(told);
    let has = |told: &str, what: &str| told.lines().any(|line| line.contains(what));
    // Steps; what the board prints; how long steps took and how transfers begin.
    for (what, expected) in [
        ("] write", [true, true, true]),
        ("  | U-Boot", [false, true, true]),
        ("  bootloader took ", [false, false, true]),
        (": begins, ", [false, false, true]),
    ] {
        assert_eq!([&normal, &verbose, &debug].map(|told| has(told, what)), expected, "{what}: {debug}");
    }
}

#[test]
fn a_quiet_flash_still_tells_why_it_failed() {
    let lab = lab();
    let ran = lab.run("true", &["-q", "flash", "missing.img"]);
    assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(3), String::new()));
    assert!(
        text(&ran.stderr).starts_with("error: image `missing.img` does not exist"),
        "{}",
        text(&ran.stderr)
    );
    for contrary in [["-q", "-v"], ["-q", "--json"]] {
        let ran = lab.run("true", &[&contrary[..], &["flash", "image"]].concat());
        assert_eq!(ran.status.code(), Some(2), "{contrary:?}");
    }
}

#[test]
fn a_log_has_everything_with_clock_times_and_is_continued() {
    let lab = lab();
    flash(&lab, &["--quiet", "--log", "flash.log"]);
    let first = std::fs::read_to_string(lab.path("flash.log")).unwrap();
    for line in first.lines() {
        let time = line.split(' ').next().unwrap();
        assert!(time.len() == 24 && flasher_core::clock::parse(time).is_some(), "{line}");
    }
    for expected in
        [" begins `flasher flash`", "Z bootloader", "Z   | U-Boot", "Z   bootloader took ", "Z proven  "]
    {
        assert!(first.contains(expected), "{expected}: {first}");
    }
    let ran = lab.run("true", &["--log", "flash.log", "flash", "missing.img"]);
    assert_eq!(ran.status.code(), Some(3));
    let both = std::fs::read_to_string(lab.path("flash.log")).unwrap();
    let more = both.strip_prefix(&first).expect("the log goes on at its end");
    assert!(more.contains("Z error: image `missing.img` does not exist"), "{more}");
}

#[test]
fn a_log_is_written_over_nothing() {
    let lab = lab();
    let before = std::fs::read(lab.path("image")).unwrap();
    for (path, expected) in [
        ("image", "`image` is no log of `flasher`"),
        ("lab.yaml", "`lab.yaml` is no log of `flasher`"),
        ("/dev/null", "`/dev/null` is no regular file"),
        ("nowhere/x.log", "the log `nowhere/x.log` cannot be written"),
    ] {
        let ran = lab.run("true", &["--log", path, "flash", "image"]);
        assert_eq!(ran.status.code(), Some(2), "{path}: {}", text(&ran.stderr));
        assert!(text(&ran.stderr).contains(expected), "{path}: {}", text(&ran.stderr));
    }
    assert_eq!(std::fs::read(lab.path("image")).unwrap(), before);
}

#[test]
fn events_have_times_and_come_in_order() {
    let lab = lab();
    let ran = flash(&lab, &["--json"]);
    assert_in_order(&events(&ran));
    let ran = lab.run("true", &["--json", "flash", "image", "--receipt", "receipt.json", "--check-first"]);
    assert_in_order(&events(&ran));
}
