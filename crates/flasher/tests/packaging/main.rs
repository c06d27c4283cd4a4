//! What a package is made of: pages for every command, files that are there, and a unit that leaves no doors open.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod debian;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use flasher_bundles as _;

/// The most that `systemd-analyze security` may say of the unit, of 10.
const MOST_EXPOSED: f64 = 3.0;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Names of all commands, joined as pages are named: `flasher-power-on`.
fn commands(of: &clap::Command, name: &str, found: &mut BTreeSet<String>) {
    found.insert(name.to_owned());
    for below in of.get_subcommands().filter(|it| it.get_name() != "help" && !it.is_hide_set()) {
        commands(below, &format!("{name}-{}", below.get_name()), found);
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    let made = Command::new(cargo_bin("flasher")).arg("man").arg(&pages).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let names = std::fs::read_dir(&pages).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = names.map(|it| it.strip_suffix(".1").unwrap().to_owned()).collect();
    let mut expected = BTreeSet::new();
    commands(&flasher::command_line(), "flasher", &mut expected);
    assert_eq!(names, expected);
    for name in names {
        let text = std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{name}: {text}");
    }
}

#[test]
fn every_file_of_the_package_is_there() {
    let manifest = std::fs::read_to_string(root().join("crates/flasher/Cargo.toml")).unwrap();
    let (_, assets) = manifest.split_once("assets = [").unwrap();
    let mut count = 0;
    for line in assets.lines() {
        let Some((source, _)) = line.trim().strip_prefix("[\"").and_then(|it| it.split_once('"')) else {
            continue;
        };
        let Some(file) = source.strip_prefix("../../") else { continue };
        count += 1;
        // These are made when the package is.
        assert!(file.starts_with("target/packages/") || root().join(file).is_file(), "{file} is not there");
    }
    assert!(count > 8, "{count}");
}

#[test]
fn the_unit_has_no_more_rights_than_it_needs() {
    let unit = root().join("packaging/flasher@.service");
    let judged = Command::new("systemd-analyze").args(["security", "--offline=true"]).arg(unit).output();
    let Ok(judged) = judged else {
        println!("skipped: systemd-analyze is not here");
        return;
    };
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    let Some((_, level)) = said.split_once("Overall exposure level for flasher@") else {
        println!(
            "skipped: systemd-analyze of this machine judges no file: {}",
            String::from_utf8_lossy(&judged.stderr)
        );
        return;
    };
    let level: f64 = level.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(level <= MOST_EXPOSED, "{said}");
}
