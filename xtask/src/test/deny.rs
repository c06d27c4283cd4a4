//! The step that checks licences, banned crates, sources and advisories of all dependencies.

use super::step::{Outcome, has_subcommand};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask_support::programs::succeed;
use xtask_support::workspace::cargo;

/// Where this chore keeps its own cargo-deny, below the root.
const OWN: &str = "target/tools";
/// The release line `deny.toml` is written for.
const VERSION: &str = "^0.20";

/// Runs cargo-deny, which CI builds when it is absent; advisories only when their database can be had.
pub(super) fn run(root: &Path) -> Result<Outcome> {
    let Some(deny) = find(root)? else {
        let how = "cargo-deny is absent; get it with `cargo install --locked cargo-deny`";
        return Ok(Outcome::Skipped(how.to_owned()));
    };
    succeed(command(&deny, root).args(["check", "bans", "licenses", "sources"]))?;
    if !database_is_current(&deny, root) {
        return Ok(Outcome::Note("advisories not checked: their database could not be fetched".to_owned()));
    }
    succeed(command(&deny, root).args(["check", "--disable-fetch", "advisories"])).map(|()| Outcome::Passed)
}

/// The program and its first arguments.
type Deny = (PathBuf, &'static [&'static str]);

fn find(root: &Path) -> Result<Option<Deny>> {
    if has_subcommand("deny") {
        return Ok(Some((cargo().into(), &["deny"])));
    }
    let own = root.join(OWN).join("bin/cargo-deny");
    if !own.is_file() && std::env::var_os("CI").is_some() {
        install(root)?;
    }
    Ok(own.is_file().then_some((own, &[])))
}

/// In CI nothing is skipped that can be had; two minutes on two cores.
fn install(root: &Path) -> Result<()> {
    let args =
        ["install", "--locked", "--no-default-features", "--version", VERSION, "--root", OWN, "cargo-deny"];
    succeed(Command::new(cargo()).args(args).current_dir(root))
}

fn command((program, first): &Deny, root: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(*first).current_dir(root);
    command
}

/// Fetches the advisory database; a machine without a way to it must not wait for long.
fn database_is_current(deny: &Deny, root: &Path) -> bool {
    let fetch = command(deny, root);
    let mut bounded = Command::new("timeout");
    bounded.arg("60").arg(fetch.get_program()).args(fetch.get_args()).args(["fetch", "db"]);
    bounded.env("GIT_TERMINAL_PROMPT", "0").current_dir(root);
    bounded.output().is_ok_and(|it| it.status.success())
}
