//! What a step of `cargo xtask test` comes to, and which commands of cargo it can use.

use anyhow::Result;
use std::path::Path;
use xtask_support::tools::Tool;
use xtask_support::workspace::cargo;

/// What a step that did not fail came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    /// Passed, with something worth knowing.
    Note(String),
    /// Not done, and why.
    Skipped(String),
    /// The test runner passed; its own summary lines.
    Tests(Vec<String>),
}

/// Why a step without this tool is skipped; nothing where it is there. In CI nothing is skipped that can be had, so it is built.
pub(super) fn absent(tool: Tool, root: &Path) -> Result<Option<Outcome>> {
    if std::env::var_os("CI").is_some() {
        tool.ensure(root)?;
    }
    let name = tool.crate_name();
    let why = || Outcome::Skipped(format!("{name} is absent; get it with `cargo install --locked {name}`"));
    Ok((!tool.is_there(root)).then(why))
}

/// Whether `cargo NAME` exists.
pub(super) fn has_subcommand(name: &str) -> bool {
    cargo().args([name, "--version"]).output().is_ok_and(|it| it.status.success())
}
