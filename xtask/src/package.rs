//! Commands that are packages of their own: they are built when they are asked for.

use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::process::Command;
use xtask_support::workspace::cargo;

/// `cargo xtask qemu-bundle`.
pub(crate) const QEMU_BUNDLE: Package = Package { name: "xtask-guests", first: &["qemu-bundle"] };
/// `cargo xtask test-guest`.
pub(crate) const TEST_GUEST: Package = Package { name: "xtask-guests", first: &["test-guest"] };
/// `cargo xtask soak controller`.
pub(crate) const SOAK_CONTROLLER: Package = Package { name: "xtask-bench", first: &["soak-controller"] };
/// `cargo xtask bench`.
pub(crate) const BENCH: Package = Package { name: "xtask-bench", first: &[] };

/// Words of the command line that the package itself understands, `--help` among them.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Options of the command; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    pub(crate) words: Vec<OsString>,
}

/// A package with a program, and the first words that program is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Package {
    name: &'static str,
    first: &'static [&'static str],
}

impl Package {
    /// Builds the package and runs its program in the current folder.
    ///
    /// # Errors
    ///
    /// When it does not build, or its program fails; that one has printed why.
    pub(crate) fn run(self, words: &[OsString]) -> Result<()> {
        let status = self.command(words).status().context("cannot run cargo")?;
        if !status.success() {
            bail!("`{}` failed: {status}", self.shown());
        }
        Ok(())
    }

    fn command(self, words: &[OsString]) -> Command {
        let mut command = cargo();
        command.args(["run", "--quiet", "--package", self.name, "--"]).args(self.first).args(words);
        command
    }

    /// What a person types for it.
    fn shown(self) -> String {
        format!("cargo xtask {}", self.first.first().unwrap_or(&"bench"))
    }
}
