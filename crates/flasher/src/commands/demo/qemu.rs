//! The emulated board of the demo: its bundle is found or built, and the demo is run again inside the sandbox.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use flasher_core::{Error, Result};
use tokio::process::Command;

use super::emulated::EmulatedBoard;
use crate::host::{self, Need};
use crate::sandbox;
use crate::screen::Screen;

/// Names a folder with the output of `cargo xtask qemu-bundle`.
const BUNDLES: &str = "FLASHER_QEMU_BUNDLES";
/// Where `cargo xtask qemu-bundle` puts its output, in the workspace.
const BUILT: &str = "target/qemu-bundle";
/// What shows that a folder is the workspace: the chore that builds the bundles.
const GUESTS: &str = "xtask/guests/Cargo.toml";
/// The file that a build of the bundles writes last.
const STAMP: &str = "stamp";
/// What building the bundle needs beside them.
const BUILD_NEEDS: [Need; 4] = [
    Need { name: "apt-get", package: "apt" },
    Need { name: "mkimage", package: "u-boot-tools" },
    Need { name: "dtc", package: "device-tree-compiler" },
    Need { name: "depmod", package: "kmod" },
];

/// Runs this very command inside the sandbox, with everything it needs at hand; gives its exit code. A board that boots a small
/// Linux needs the `bundle` of that name.
///
/// # Errors
/// When packages are missing, the bundle cannot be had, or this machine refuses a sandbox.
pub(super) async fn enter(board: EmulatedBoard, bundle: Option<&str>, screen: &Screen) -> Result<u8> {
    let found = bundle.and_then(|bundle| having(bundle, &candidates()));
    let build_needs = if bundle.is_some() && found.is_none() { &BUILD_NEEDS[..] } else { &[] };
    host::require("the emulated board", &[&board.needs[..], &sandbox::NEEDS[..], build_needs].concat())?;
    // Before anything that takes long.
    sandbox::check().await?;
    let bundles = match (found, bundle) {
        (None, Some(bundle)) => Some(build(bundle, screen).await?),
        (found, _) => found,
    };
    let lost = |error| Error::infrastructure("cannot tell which program this is").because(error);
    let program = std::env::current_exe().map_err(lost)?;
    let command: Vec<OsString> = [program.into()].into_iter().chain(std::env::args_os().skip(1)).collect();
    let named: Vec<_> = bundles.iter().map(|bundles| (BUNDLES, bundles.as_os_str())).collect();
    sandbox::run(&command, &named).await
}

/// The folder of the bundle with this name.
///
/// # Errors
/// When there is none.
pub(super) fn folder(bundle: &str) -> Result<PathBuf> {
    let candidates = candidates();
    let found = having(bundle, &candidates).ok_or_else(|| absent(bundle, &candidates))?;
    let unreadable = |error| Error::infrastructure("cannot read the bundle's folder").because(error);
    found.join(bundle).canonicalize().map_err(unreadable)
}

/// Folders that may have the bundles, best first.
fn candidates() -> Vec<PathBuf> {
    let named = std::env::var_os(BUNDLES).filter(|text| !text.is_empty()).map(PathBuf::from);
    named.into_iter().chain([workspace().join(BUILT)]).collect()
}

/// The first folder that has this bundle whole.
fn having(bundle: &str, candidates: &[PathBuf]) -> Option<PathBuf> {
    let whole = |folder: &&PathBuf| {
        folder.join(STAMP).is_file() && folder.join(bundle).join("manifest.yaml").is_file()
    };
    candidates.iter().find(whole).cloned()
}

/// The workspace this program was built in; the current folder when it is gone. It is looked for, because a program that named the
/// folder it was built in would be another one in each.
fn workspace() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    built_in(&program).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// The workspace whose build folder has this program. No other folder above it counts: in some, other users may put a workspace, and
/// what is found there is run.
fn built_in(program: &Path) -> Option<&Path> {
    let target = program.ancestors().find(|folder| folder.ends_with("target"))?;
    target.parent().filter(|folder| folder.join(GUESTS).is_file())
}

fn absent(bundle: &str, candidates: &[PathBuf]) -> Error {
    let places = candidates.iter().map(|it| format!("`{}`", it.display())).collect::<Vec<_>>().join(", ");
    Error::infrastructure(format!("no flash bundle `{bundle}` for the emulated board, looked in {places}"))
        .help(format!(
            "run `cargo xtask qemu-bundle` in a checkout of this program's source; elsewhere, set {BUNDLES} to \
             the `{BUILT}` of that checkout"
        ))
        .retryable(false)
}

/// Builds the bundles in the workspace. Outside the sandbox, for the packages come from the network.
async fn build(bundle: &str, screen: &Screen) -> Result<PathBuf> {
    let root = workspace();
    if !root.join(GUESTS).is_file() {
        return Err(absent(bundle, &candidates()));
    }
    screen.aside(
        "building the emulated boards' Linux once (`cargo xtask qemu-bundle`): downloads 250 MB of Debian packages, keeps \
         290 MB in `target/qemu-bundle`\n",
    );
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = chore(&cargo, &root).await.map_err(|error| failed("did not start").because(error))?;
    if !status.success() {
        return Err(failed(&format!("ended with {status}")));
    }
    let built = root.join(BUILT);
    having(bundle, std::slice::from_ref(&built))
        .ok_or_else(|| failed(&format!("left no bundle `{bundle}` in `{}`", built.display())))
}

/// Runs `cargo xtask qemu-bundle`; all it says goes to standard error, for standard output is for results.
async fn chore(cargo: &OsStr, root: &Path) -> io::Result<ExitStatus> {
    let mut command = Command::new(cargo);
    command.args(["xtask", "qemu-bundle"]).current_dir(root);
    command.stdin(Stdio::null()).stdout(io::stderr()).kill_on_drop(true);
    command.status().await
}

fn failed(how: &str) -> Error {
    Error::infrastructure(format!("`cargo xtask qemu-bundle` {how}"))
        .help("run it by itself to see why; it needs a Rust toolchain, Debian's apt and the network")
        .retryable(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_counts_once_its_build_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().to_path_buf();
        let candidates = [PathBuf::from("/no/such/folder"), here.clone()];
        std::fs::create_dir(here.join("qemu-virt")).unwrap();
        std::fs::write(here.join("qemu-virt/manifest.yaml"), "").unwrap();
        assert_eq!(having("qemu-virt", &candidates), None);
        std::fs::write(here.join(STAMP), "").unwrap();
        assert_eq!(having("qemu-virt", &candidates), Some(here));
        assert_eq!(having("qemu-armhf", &candidates), None, "built before there was this one");
    }

    #[test]
    fn a_workspace_above_any_other_folder_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        std::fs::create_dir_all(here.join("xtask/guests")).unwrap();
        std::fs::write(here.join(GUESTS), "").unwrap();
        assert_eq!(built_in(&here.join("target/debug/flasher")), Some(here));
        assert_eq!(built_in(&here.join("unpacked/flasher")), None);
        assert_eq!(built_in(&here.join("other/target/debug/flasher")), None);
    }

    #[test]
    fn without_a_bundle_the_command_to_run_is_named() {
        let error = absent("qemu-virt", &["/a".into(), "/b".into()]);
        assert_eq!(
            error.to_string(),
            "no flash bundle `qemu-virt` for the emulated board, looked in `/a`, `/b`"
        );
        assert_eq!(
            error.next_step(),
            Some(
                "run `cargo xtask qemu-bundle` in a checkout of this program's source; elsewhere, set \
                 FLASHER_QEMU_BUNDLES to the `target/qemu-bundle` of that checkout"
            )
        );
        assert_eq!(error.class().exit_code(), 4);
    }

    #[tokio::test]
    async fn a_build_that_fails_says_so() {
        let status = chore(OsStr::new("false"), Path::new("/")).await.unwrap();
        let error = failed(&format!("ended with {status}"));
        assert_eq!(error.to_string(), "`cargo xtask qemu-bundle` ended with exit status: 1");
        assert_eq!(
            error.next_step(),
            Some("run it by itself to see why; it needs a Rust toolchain, Debian's apt and the network")
        );
        assert!(chore(OsStr::new("/no/such/cargo"), Path::new("/")).await.is_err());
    }
}
