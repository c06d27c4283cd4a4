//! `flasher init`: a file that `check` takes, and none that was there is lost.

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{Ran, flasher};

/// Runs it in a folder of its own, where `board.yaml` is what `there` says.
fn init(there: Option<&str>, args: &[&str]) -> (Ran, Option<String>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("board.yaml");
    there.iter().for_each(|text| fs::write(&file, text).unwrap());
    let ran = flasher().arg("init").args(args).current_dir(folder.path()).output().unwrap().into();
    let text = fs::read_to_string(&file).ok();
    (ran, text, folder)
}

/// Runs it on a terminal where these answers are typed ahead.
fn answered(typed: &str) -> (Ran, Option<String>) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let line = OpenOptions::new().read(true).write(true).open(name).unwrap();
    let mut terminal = File::from(terminal);
    terminal.write_all(typed.as_bytes()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ran = flasher().arg("init").stdin(line).current_dir(folder.path()).output().unwrap().into();
    (ran, fs::read_to_string(folder.path().join("board.yaml")).ok())
}

#[test]
fn what_no_option_says_is_asked_for() {
    let (ran, text) = answered("uboot\nmmc 1\n\nloop://\npower-gpio\n");
    let text = text.unwrap_or_else(|| panic!("{}", ran.err));
    assert!(
        ran.code == 0 && text.contains("medium: mmc 1 ") && text.contains("url: \"loop://\"\n"),
        "{text}"
    );
    assert!(text.contains("type: power-gpio\n"), "{text}");
    // What there is to choose from is shown; an empty answer is asked for again.
    assert!(ran.err.contains("`ti-j784s4`") && ran.err.contains("  power-http   "), "{}", ran.err);
    assert_eq!(ran.err.matches("serial: ").count(), 2, "{}", ran.err);

    let (ran, text) = answered("uboot\n\u{4}");
    assert_eq!((ran.code, text), (2, None), "{}", ran.err);
    assert!(ran.err.contains("no answer to `medium`, so nothing was written"), "{}", ran.err);
}

const GIVEN: [&str; 6] = ["--board", "test", "--serial", "/dev/ttyUSB0", "--power", "power-mock"];

/// For a board without a bundle: looking at that of another one would need a network.
const UBOOT: [&str; 4] = ["--board", "uboot", "--medium", "mmc 1"];

#[test]
fn check_takes_every_file_that_init_writes() {
    for power in ["power-command", "power-gpio", "power-http", "power-mock", "power-snmp"] {
        let serial = if power == "power-mock" { "loop://" } else { "/dev/serial/by-id/usb-FTDI_a" };
        let (ran, text, folder) = init(None, &[&["--power", power, "--serial", serial], &UBOOT[..]].concat());
        let text = text.unwrap_or_else(|| panic!("{}", ran.err));
        assert!(ran.code == 0 && ran.out.starts_with("wrote board.yaml; "), "{}", ran.out);
        assert!(text.starts_with("# A board") && text.contains(&format!("type: {power}\n")), "{text}");
        // The one file that an example names.
        fs::write(folder.path().join("pdu-community"), "public\n").unwrap();
        let check = flasher().args(["check", "board.yaml"]).current_dir(folder.path()).output().unwrap();
        let checked = Ran::from(check);
        assert_eq!(checked.code, 0, "{text}\n{}", checked.err);
    }
}

#[test]
fn a_board_of_this_build_gets_a_file_too() {
    for board in flasher_core::registry::boards() {
        let serial = ["--serial", "rfc2217://lab:4000", "--power", "power-mock"];
        let (ran, text, _folder) = init(None, &[&["--board", board.name], &serial[..]].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(text.unwrap().contains(&format!("    type: {}\n", board.name)));
    }
}

#[test]
fn a_file_that_is_there_stays() {
    let (ran, text, _folder) = init(Some("mine\n"), &GIVEN);
    assert_eq!((ran.code, text.as_deref()), (2, Some("mine\n")));
    assert_eq!(
        ran.err,
        "error: `board.yaml` is there already, so nothing was written\n   = help:       name another file: `flasher init FILE`; or \
         check this one: `flasher check FILE`\n"
    );
}

#[test]
fn what_cannot_be_meant_writes_nothing() {
    let without = |from: usize| [&GIVEN[..from], &GIVEN[from + 2..]].concat();
    let with = |option: &str, value: &'static str| {
        let at = GIVEN.iter().position(|it| *it == option).unwrap();
        [&GIVEN[..=at], &[value], &GIVEN[at + 2..]].concat()
    };
    for (args, says) in [
        (without(0), "`--board` is missing, and there is no terminal to ask on"),
        (without(2), "`--serial` is missing, and there is no terminal to ask on"),
        (without(4), "`--power` is missing, and there is no terminal to ask on"),
        (with("--board", "tset"), "unknown board `tset`"),
        (with("--power", "power-htpt"), "did you mean `power-http`?"),
        (with("--power", "serial"), "must be of kind power"),
        (with("--serial", "no such://line"), "error: "),
        ([&GIVEN[..], &["--medium", "mmc 1"]].concat(), "has an effect with `--board uboot` only"),
        (with("--board", "uboot"), "`--medium` is missing"),
    ] {
        let (ran, text, _folder) = init(None, &args);
        assert_eq!((ran.code, text), (2, None), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(says), "{args:?}: {}", ran.err);
    }
}

#[test]
fn without_a_command_there_are_three_things_to_do() {
    let ran = super::run(&[]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    for command in ["flasher demo ", "flasher init ", "flasher --exporter board.yaml flash IMAGE "] {
        assert!(ran.err.contains(command), "{}", ran.err);
    }
}
