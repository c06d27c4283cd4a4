//! What a `type` names: a driver by its name or an alias, or a board that a flasher driver serves.

use flasher_base::suggest;
use flasher_core::registry::{self, DriverEntry};
use strict_yaml::{Problem, YamlNode};

/// Types that only group their children.
pub(crate) const GROUPS: &[&str] = &["composite", "jumpstarter_driver_composite.driver.Composite"];

/// The driver for `kind`, with its config; a board's name becomes `board` of its flasher's config.
pub(crate) fn find(
    kind: &str,
    config: &YamlNode,
    path: &[String],
) -> Result<(&'static DriverEntry, YamlNode), Problem> {
    if let Some(entry) = registry::driver(kind) {
        return Ok((entry, config.clone()));
    }
    let Some(board) = registry::board(kind) else { return Err(unknown(path, kind)) };
    let entry = registry::driver(board.driver).ok_or_else(|| {
        let message =
            format!("the board `{kind}` is flashed by the driver `{}`, which is not linked", board.driver);
        Problem::value(path, message).help("this is a bug of the build: link the crate of that driver")
    })?;
    Ok((entry, config.clone().with_default("board", board.name)))
}

fn unknown(path: &[String], kind: &str) -> Problem {
    if registry::drivers().is_empty() {
        let message = format!("unknown driver `{kind}`: no driver is linked into this binary");
        let help = "add `use flasher_bundles as _;` to the binary: a crate that no source line names registers nothing";
        return Problem::value(path, message).help(help);
    }
    let names = names();
    if let Some(nearest) = suggest::nearest(kind, names.iter().copied()) {
        return Problem::value(path, format!("unknown driver `{kind}`"))
            .help(format!("did you mean `{nearest}`? `flasher drivers` lists all"));
    }
    let short = names.into_iter().filter(|name| !name.contains('.'));
    let listed = format!("this build has: {}", suggest::list(short));
    if kind.matches('.').count() >= 2 {
        let message = format!("the Python driver `{kind}` has no counterpart in this build");
        return Problem::value(path, message).help(format!("use one of ours or remove the node; {listed}"));
    }
    Problem::value(path, format!("unknown driver `{kind}`")).help(listed)
}

/// Everything that `type` can be, own names and aliases.
fn names() -> Vec<&'static str> {
    let drivers = registry::drivers().into_iter().map(|entry| (entry.name, entry.aliases));
    let boards = registry::boards().into_iter().map(|entry| (entry.name, entry.aliases));
    let named = drivers.chain(boards);
    let all = named.flat_map(|(name, aliases)| std::iter::once(name).chain(aliases.iter().copied()));
    all.chain(GROUPS.iter().copied()).collect()
}
