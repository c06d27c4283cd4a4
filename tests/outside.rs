//! Boards of one's own, really outside: `examples/own-board` copied away from this tree, renamed, built there, and its own
//! tests run there, which list its boards and flash both on the simulated board.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a person who copies the crate changes besides its name: where ours are.
fn pointed(text: &str, ours: &Path) -> String {
    text.replace("../../crates/", &format!("{}/", ours.join("crates").display()))
}

/// Gives the copy its name with the command that its `Cargo.toml` says.
fn rename(place: &Path) {
    let manifest = fs::read_to_string(place.join("Cargo.toml")).unwrap();
    let command = manifest.lines().find_map(|line| line.strip_prefix("#     ")).unwrap();
    let status = Command::new("sh").args(["-ec", command]).current_dir(place).status().unwrap();
    assert!(status.success(), "`{command}`: {status}");
}

fn copy(from: &Path, to: &Path, ours: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        // Cargo cleans by the names of targets: tests of the same name would be those of our own example, too.
        let target = to.join(if from.ends_with("tests") { format!("acme_{name}") } else { name });
        if entry.path().is_dir() {
            copy(&entry.path(), &target, ours);
        } else {
            fs::write(target, pointed(&fs::read_to_string(entry.path()).unwrap(), ours)).unwrap();
        }
    }
}

#[test]
fn boards_of_ones_own_are_built_and_flashed_outside_this_tree() {
    let ours: PathBuf = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    let folder = tempfile::Builder::new().prefix("acme-boards-").tempdir().unwrap();
    let place = folder.path();
    copy(&ours.join("examples/own-board"), place, &ours);
    rename(place);
    // The same versions and profiles: what others wrote is then built already.
    fs::copy(ours.join("Cargo.lock"), place.join("Cargo.lock")).unwrap();
    let workspace = fs::read_to_string(ours.join("Cargo.toml")).unwrap();
    let profiles = &workspace[workspace.find("[profile.").unwrap()..];
    let manifest = fs::read_to_string(place.join("Cargo.toml")).unwrap();
    fs::write(place.join("Cargo.toml"), format!("{manifest}\n{profiles}")).unwrap();

    let (passed, text) = cargo(place, &["test", "--offline", "--test", "acme_binary"]);
    assert!(passed && text.contains("test result: ok. 2 passed"), "{text}");
    // The next run has another folder, so nothing of this one would ever be used again.
    let (cleaned, text) = cargo(place, &["clean", "--offline", "--package", "acme-boards"]);
    assert!(cleaned, "{text}");
}

/// Runs cargo in `place` with the build folder of this tree; whether it succeeded, and all it said.
fn cargo(place: &Path, arguments: &[&str]) -> (bool, String) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut command = Command::new(cargo);
    // What tells of the package of this test is not passed on: build scripts ask for it, and all that is built on them would be
    // built anew, here and once more after it.
    let of_a_package = std::env::vars_os().map(|(name, _)| name.into_string().unwrap_or_default());
    for name in
        of_a_package.filter(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
    {
        command.env_remove(name);
    }
    let output = command.args(arguments).current_dir(place).env("CARGO_TARGET_DIR", target).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), said.concat())
}
