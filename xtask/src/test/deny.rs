//! The step that checks licences, banned crates, sources and advisories of all dependencies.

use super::step::{self, Outcome};
use anyhow::Result;
use std::path::Path;
use std::process::Command;
use xtask_support::programs::succeed;
use xtask_support::tools::DENY;

/// Runs cargo-deny; advisories only when their database can be had.
pub(super) fn run(root: &Path) -> Result<Outcome> {
    if let Some(skipped) = step::absent(DENY, root)? {
        return Ok(skipped);
    }
    succeed(DENY.command(root)?.args(["check", "bans", "licenses", "sources"]))?;
    if !database_is_current(root)? {
        return Ok(Outcome::Note("advisories not checked: their database could not be fetched".to_owned()));
    }
    succeed(DENY.command(root)?.args(["--offline", "check", "advisories"])).map(|()| Outcome::Passed)
}

/// Fetches the advisory database; a machine without a way to it must not wait for long.
fn database_is_current(root: &Path) -> Result<bool> {
    let fetch = DENY.command(root)?;
    let mut bounded = Command::new("timeout");
    bounded.arg("60").arg(fetch.get_program()).args(fetch.get_args()).args(["fetch", "db"]);
    let settings = fetch.get_envs().filter_map(|(name, value)| Some((name, value?)));
    bounded.envs(settings).env("GIT_TERMINAL_PROMPT", "0").current_dir(root);
    Ok(bounded.output().is_ok_and(|it| it.status.success()))
}
