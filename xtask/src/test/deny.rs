//! The step that checks licences, banned crates, sources and advisories of all dependencies.

use super::{Outcome, has_subcommand, succeed};
use crate::workspace::cargo;
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// Runs cargo-deny when it is installed; advisories only when their database can be had.
pub(super) fn run(root: &Path) -> Result<Outcome> {
    if !has_subcommand("deny") {
        let how = "cargo-deny is absent; get it with `cargo install --locked cargo-deny`";
        return Ok(Outcome::Skipped(how.to_owned()));
    }
    deny(root, &["check", "bans", "licenses", "sources"])?;
    if !database_is_current(root) {
        return Ok(Outcome::Note("advisories not checked: their database could not be fetched".to_owned()));
    }
    deny(root, &["check", "--disable-fetch", "advisories"])
}

fn deny(root: &Path, args: &[&str]) -> Result<Outcome> {
    succeed(Command::new(cargo()).arg("deny").args(args).current_dir(root))
}

/// Fetches the advisory database; a machine without a way to it must not wait for long.
fn database_is_current(root: &Path) -> bool {
    let mut fetch = Command::new("timeout");
    fetch.args(["60"]).arg(cargo()).args(["deny", "fetch", "db"]).current_dir(root);
    fetch.env("GIT_TERMINAL_PROMPT", "0").output().is_ok_and(|it| it.status.success())
}
