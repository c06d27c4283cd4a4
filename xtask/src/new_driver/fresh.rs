//! A fresh driver in a copy of this tree passes, untouched, what a new driver can break.

use super::{format, write};
use std::fs;
use std::path::{Path, PathBuf};
use xtask_support::workspace::{Workspace, cargo};

const NAME: &str = "relay-of-a-test";

/// Copies a folder without what cargo and git keep in it. Files keep their times, so cargo builds only what has changed.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (name, target) = (entry.file_name(), to.join(entry.file_name()));
        let known = entry.metadata().unwrap();
        let is_built = name == "target" && from.join("Cargo.toml").is_file();
        if known.is_dir() && !is_built && name != ".git" {
            copy(&entry.path(), &target);
        } else if known.is_file() {
            fs::copy(entry.path(), &target).unwrap();
            let written = fs::File::options().write(true).open(target).unwrap();
            written.set_modified(known.modified().unwrap()).unwrap();
        }
    }
}

/// Runs cargo in the copy, without the network, and uses what the suite has built.
fn passes(root: &Path, target: &Path, arguments: &[&str]) {
    let mut command = cargo();
    command.args(arguments).current_dir(root).env("CARGO_NET_OFFLINE", "true");
    // Programs go to a place of their own: those of this tree are in use.
    command.env("CARGO_BUILD_BUILD_DIR", target).env("CARGO_TARGET_DIR", root.with_extension("programs"));
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
    println!("cargo {arguments:?}:\n{said}");
    assert!(output.status.success(), "cargo {arguments:?}");
}

#[test]
fn a_fresh_driver_passes_untouched() {
    let ours: PathBuf = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    // This program is `target/PROFILE/deps/NAME`.
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().nth(3).unwrap();
    // Always the same folder: cargo would build anew in another one.
    let root = target.join("tmp/fresh-driver");
    if root.exists() {
        fs::remove_dir_all(&root).unwrap();
    }
    copy(&ours, &root);
    write(&root, NAME).unwrap();
    let library = root.join(format!("crates/driver-{NAME}/src/lib.rs"));
    format(&library).unwrap();
    let findings = xtask_tidy::check(&Workspace::load_from(&root).unwrap()).unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
    passes(&root, target, &["fmt", "--all", "--check"]);
    // The features that flasher-core has in a build of the whole workspace: that build is used then.
    let package = format!("driver-{NAME}");
    let only = ["--package", &package, "--features", "flasher-core/mocks,tokio/test-util"];
    passes(&root, target, &[&["clippy", "--all-targets"], &only[..], &["--", "-Dwarnings"]].concat());
    passes(&root, target, &[&["test", "--lib"], &only[..]].concat());
    fs::remove_dir_all(&root).unwrap();
}
