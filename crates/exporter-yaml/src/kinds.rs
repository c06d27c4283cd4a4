//! What a `type` names: a driver by its name or an alias, a board that a flasher driver serves, or a class that only Python has.

use flasher_base::suggest;
use flasher_core::registry::{self, DriverEntry};
use strict_yaml::{Problem, YamlNode};

/// Types that only group their children.
pub(crate) const GROUPS: &[&str] = &["composite", "jumpstarter_driver_composite.driver.Composite"];

/// What is behind a `type`.
pub(crate) enum NamedType {
    /// A driver of this build, and its config; a board's name has become `board` of its flasher's config.
    Driver(&'static DriverEntry, YamlNode),
    /// A Python class that is none of ours, and no misspelt one of ours.
    Python,
}

/// What `kind` names.
pub(crate) fn find(kind: &str, config: &YamlNode, path: &[String]) -> Result<NamedType, Problem> {
    if let Some(entry) = registry::driver(kind) {
        return Ok(NamedType::Driver(entry, config.clone()));
    }
    let Some(board) = registry::board(kind) else {
        let is_python = !registry::drivers().is_empty() && is_class_path(kind) && nearest(kind).is_none();
        return if is_python { Ok(NamedType::Python) } else { Err(unknown(path, kind)) };
    };
    let entry = registry::driver(board.driver).ok_or_else(|| {
        let message =
            format!("the board `{kind}` is flashed by the driver `{}`, which is not linked", board.driver);
        Problem::value(path, message).help("this is a bug of the build: link the crate of that driver")
    })?;
    Ok(NamedType::Driver(entry, config.clone().with_default("board", board.name)))
}

fn unknown(path: &[String], kind: &str) -> Problem {
    if registry::drivers().is_empty() {
        let message = format!("unknown driver `{kind}`: no driver is linked into this binary");
        let help = "add `use flasher_bundles as _;` to the binary: a crate that no source line names registers nothing";
        return Problem::value(path, message).help(help);
    }
    if let Some(nearest) = nearest(kind) {
        return Problem::value(path, format!("unknown driver `{kind}`"))
            .help(format!("did you mean `{nearest}`? `flasher drivers` lists all"));
    }
    let short = names().into_iter().filter(|name| !name.contains('.'));
    let listed = format!("this build has: {}", suggest::list(short));
    Problem::value(path, format!("unknown driver `{kind}`")).help(listed)
}

/// The name of ours that `kind` is most likely a misspelling of.
fn nearest(kind: &str) -> Option<&'static str> {
    suggest::nearest(kind, names())
}

/// Whether this is the import path of a Python class: names of modules, and a class, with dots between.
pub(crate) fn is_class_path(kind: &str) -> bool {
    let is_name = |part: &str| {
        part.chars().next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && part.chars().all(|char| char.is_alphanumeric() || char == '_')
    };
    kind.contains('.') && kind.split('.').all(is_name)
}

/// Everything that `type` can be, own names and aliases.
fn names() -> Vec<&'static str> {
    let drivers = registry::drivers().into_iter().map(|entry| (entry.name, entry.aliases));
    let boards = registry::boards().into_iter().map(|entry| (entry.name, entry.aliases));
    let named = drivers.chain(boards);
    let all = named.flat_map(|(name, aliases)| std::iter::once(name).chain(aliases.iter().copied()));
    all.chain(GROUPS.iter().copied()).collect()
}
