//! The programs that are packed: with the profile `dist`, and the same bytes whichever folder they are built in.

use anyhow::{Context, Result};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask_support::programs::{output, succeed};
use xtask_support::workspace::cargo;

/// The linker folds functions that are the same, and packs relocations.
const SMALLER: [&str; 2] = ["-Clink-arg=-Wl,--icf=all", "-Clink-arg=-Wl,-z,pack-relative-relocs"];
/// Between flags in `CARGO_ENCODED_RUSTFLAGS`.
const BETWEEN_FLAGS: &str = "\u{1f}";

/// How a program comes to the C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linking {
    /// It uses the machine's own.
    Dynamic,
    /// It has it inside and needs nothing of the machine.
    Static,
}

impl Linking {
    /// Each builds in a folder of its own, so that neither replaces what the other has built.
    fn folder(self) -> &'static str {
        match self {
            Self::Dynamic => "dist-dynamic",
            Self::Static => "dist-static",
        }
    }
}

/// Builds the program; gives where it is.
///
/// # Errors
/// When it does not build.
pub(super) fn build(root: &Path, linking: Linking) -> Result<PathBuf> {
    let host = host()?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = target.join(linking.folder());
    let mut build = cargo();
    // With `--target`, the flags are not those of build scripts.
    build.args([
        "build",
        "--locked",
        "--profile",
        "dist",
        "-p",
        "flasher",
        "--target",
        &host,
        "--target-dir",
    ]);
    build.arg(&target).env("CARGO_ENCODED_RUSTFLAGS", flags(root, linking)?).current_dir(root);
    succeed(&mut build)?;
    Ok(target.join(host).join("dist/flasher"))
}

/// Flags of rustc. Folders of this machine have names that are the same everywhere.
fn flags(root: &Path, linking: Linking) -> Result<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo"))).context("no home folder")?;
    let renamed = [(home, "/cargo"), (root.to_owned(), "/flasher")];
    let renamed = renamed.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let is_static = linking == Linking::Static;
    let linked = is_static.then_some("-Ctarget-feature=+crt-static").into_iter().chain(SMALLER);
    Ok(renamed.into_iter().chain(linked.map(str::to_owned)).collect::<Vec<_>>().join(BETWEEN_FLAGS))
}

/// The target that this machine's rustc builds for.
pub(super) fn host() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Ok(output(Command::new(rustc).args(["--print", "host-tuple"]))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_name_no_folder_of_this_machine_in_the_program() {
        let flags = flags(Path::new("/somewhere"), Linking::Static).unwrap();
        let flags: Vec<_> = flags.split(BETWEEN_FLAGS).collect();
        assert_eq!(flags[1..3], ["--remap-path-prefix=/somewhere=/flasher", "-Ctarget-feature=+crt-static"]);
        assert!(flags[0].starts_with("--remap-path-prefix=/") && flags[0].ends_with("=/cargo"), "{flags:?}");
    }
}
