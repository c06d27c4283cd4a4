//! `cargo xtask book`: the sample outputs and the reference of the manual, made anew by the program.

use anyhow::{Context, Result, bail};
use xtask_support::workspace::{Workspace, cargo};

/// Has the tests of the manual write what they compare otherwise.
pub(crate) fn run() -> Result<()> {
    let root = Workspace::load()?.root;
    let mut command = cargo();
    // The whole workspace, so that nothing is built anew with other features.
    command.args(["test", "--quiet", "--workspace", "--test", "manual"]);
    let status =
        command.env("FLASHER_WRITE_BOOK", "1").current_dir(root).status().context("cannot run cargo")?;
    if !status.success() {
        bail!("the manual cannot be made; what is wrong stands above");
    }
    println!("wrote docs/samples and docs/reference; `git diff docs` shows what changed");
    Ok(())
}
