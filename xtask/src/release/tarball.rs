//! The tarball: a program that needs nothing of the machine, with pages, completions and units.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask_support::programs::succeed;

/// Packs `program` and what is staged in `made` as `NAME.tar.gz`, and gives that name. `epoch`: what its files say of their time,
/// seconds since 1970.
///
/// # Errors
/// When a file cannot be copied, or tar or gzip fails.
pub(super) fn pack(made: &Path, program: &Path, name: &str, epoch: &str) -> Result<String> {
    let tree = made.join(name);
    fs::create_dir(&tree).with_context(|| format!("cannot create {}", tree.display()))?;
    fs::copy(program, tree.join("flasher")).context("cannot copy the program")?;
    let staged = ["man", "completions", "packaging"].map(|it| made.join(it));
    succeed(Command::new("cp").arg("-r").args(staged).arg(&tree))?;
    let archive = format!("{name}.tar");
    let mut tar = Command::new("tar");
    tar.args(["--create", "--file", &archive, "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    // The modes that others see do not hang on the umask of who packs.
    tar.args(["--mode=u=rwX,go=rX", &format!("--mtime=@{epoch}"), name]);
    succeed(tar.current_dir(made))?;
    succeed(Command::new("gzip").args(["-9", "--no-name", &archive]).current_dir(made))?;
    fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))?;
    Ok(format!("{archive}.gz"))
}
