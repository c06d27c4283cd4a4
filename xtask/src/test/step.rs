//! What a step of `cargo xtask test` comes to, and which commands of cargo it can use.

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

/// Whether `cargo NAME` exists.
pub(super) fn has_subcommand(name: &str) -> bool {
    cargo().args([name, "--version"]).output().is_ok_and(|it| it.status.success())
}
