//! Words: one meaning for each type name, none of the words that the glossary replaced, and short test names.

use crate::finding::Finding;
use crate::references::documents;
use crate::rust_text::line_of;
use crate::sources::Source;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use xtask_support::workspace::Workspace;

/// In how many crates a type name may stand.
const MOST_CRATES: usize = 2;
const LONGEST_TEST_NAME: usize = 59;

/// Type names with one meaning wherever they stand, and that meaning.
const SHARED_NAMES: [(&str, &str); 7] = [
    ("Args", "the arguments of a command, for clap"),
    ("Config", "the `config:` of a driver's node"),
    ("Digest", "a SHA-256 digest"),
    ("Error", "the errors of a crate"),
    ("Finding", "one problem that a check found"),
    ("Preset", "devices whose commands or requests are known"),
    ("State", "what changes in the type beside it"),
];

/// Type names that say nothing to a reader, and what they became.
const REPLACED_NAMES: [(&str, &str); 9] = [
    ("Care", "SwitchTiming"),
    ("Desk", "RequestDispatcher"),
    ("Finger", "ReleaseOnDrop"),
    ("Given", "ExternalSource"),
    ("Haste", "FastRetransmit"),
    ("Keeper", "CacheWriter"),
    ("Manner", "RequestSettings"),
    ("No", "Rejection"),
    ("Wish", "StreamRequestMeta"),
];

/// Words of comments and documents that name no part of the system, and what to write.
const REPLACED_WORDS: [(&str, &str); 6] = [
    ("anybody", "name the user, client or process"),
    ("don't-care", "unmapped"),
    ("nobody", "say which user, client or process is absent"),
    ("somebody", "name the user, client or process"),
    ("told", "reported, sent, set or given"),
    ("whoever", "name the caller, client or process"),
];

/// Files where the word is a name that others gave, as the user `nobody` of Unix, or the example of a test of this rule.
const NAMES_OF_OTHERS: [&str; 2] =
    ["crates/board-sim/src/guest/safety.rs", "xtask/tidy/src/vocabulary/tests.rs"];

/// All findings in the Rust files and the documents.
pub(super) fn check(workspace: &Workspace, sources: &[Source]) -> Result<Vec<Finding>> {
    let mut findings = repeated_types(sources);
    findings.extend(sources.iter().flat_map(check_source));
    for path in documents(&workspace.root)? {
        let text = workspace.read(&path)?.with_context(|| format!("{path} vanished"))?;
        findings.extend(words_in(&path, text.lines()));
    }
    Ok(findings)
}

fn check_source(source: &Source) -> Vec<Finding> {
    let comments = source.text.lines().map(comment);
    let mut findings = words_in(&source.path, comments);
    findings.extend(replaced_types(source));
    findings.extend(long_test_names(source));
    findings
}

/// Types that stand in too many crates; a name in several files of one crate counts once.
fn repeated_types(sources: &[Source]) -> Vec<Finding> {
    let mut places: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in sources {
        for (name, _) in types(&source.code) {
            places.entry(name).or_default().insert(package(&source.path));
        }
    }
    let is_shared = |name: &str| SHARED_NAMES.iter().any(|(shared, _)| *shared == name);
    let repeated = places.into_iter().filter(|(name, at)| at.len() > MOST_CRATES && !is_shared(name));
    repeated
        .map(|(name, at)| {
            let at: Vec<&str> = at.into_iter().collect();
            Finding::new(
                at[0],
                format!("`{name}` is a type in {}: use the field's term in each crate", at.join(", ")),
            )
        })
        .collect()
}

fn replaced_types(source: &Source) -> Vec<Finding> {
    let replaced = |name: &str| REPLACED_NAMES.iter().find(|(old, _)| *old == name);
    types(&source.code)
        .filter_map(|(name, at)| {
            let (old, new) = replaced(name)?;
            let line = line_of(&source.code, at);
            Some(Finding::on_line(&source.path, line, format!("type `{old}` says nothing, as `{new}` does")))
        })
        .collect()
}

fn long_test_names(source: &Source) -> Vec<Finding> {
    let names = source.masked.match_indices("fn ").filter_map(|(at, _)| {
        let rest = &source.masked[at + 3..];
        let name = &rest[..rest.find(|it: char| !it.is_alphanumeric() && it != '_')?];
        (name.len() > LONGEST_TEST_NAME).then_some((at, name))
    });
    names
        .map(|(at, name)| {
            let text = format!(
                "`{name}` has {} characters, at most {LONGEST_TEST_NAME}: tell the story in the body",
                name.len()
            );
            Finding::on_line(&source.path, line_of(&source.masked, at), text)
        })
        .collect()
}

/// The comment of a line; empty without one. The slashes of a URL begin none.
fn comment(line: &str) -> &str {
    let begins = line.match_indices("//").map(|(at, _)| at).find(|&at| !line[..at].ends_with(':'));
    begins.map_or("", |at| &line[at..])
}

/// Replaced words in `lines`, which are those of the file at `path` as far as people read them.
fn words_in<'a>(path: &str, lines: impl Iterator<Item = &'a str>) -> Vec<Finding> {
    if NAMES_OF_OTHERS.contains(&path) {
        return Vec::new();
    }
    let is_word = |it: char| it.is_alphanumeric() || it == '-' || it == '\'';
    let mut findings = Vec::new();
    for (index, line) in lines.enumerate() {
        for word in prose(line).split(|it| !is_word(it)) {
            let lower = word.to_lowercase();
            if let Some((old, new)) = REPLACED_WORDS.iter().find(|(old, _)| *old == lower) {
                findings.push(Finding::on_line(path, index + 1, format!("the word `{old}`: {new}")));
            }
        }
    }
    findings
}

/// A line without what is in backticks, which are names.
fn prose(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// Types of a file and where their names begin; types within functions and implementations do not count.
fn types(code: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut start = 0;
    code.split_inclusive('\n').filter_map(move |line| {
        let at = start;
        start += line.len();
        let name = ["struct", "enum", "trait", "type", "union"].iter().find_map(|kind| {
            let rest = without_visibility(line).strip_prefix(kind)?.strip_prefix(' ')?;
            let end = rest.find(|it: char| !it.is_alphanumeric() && it != '_')?;
            Some(&rest[..end])
        })?;
        Some((name, at))
    })
}

fn without_visibility(line: &str) -> &str {
    let Some(rest) = line.strip_prefix("pub") else { return line };
    match rest.strip_prefix('(').and_then(|scope| scope.split_once(") ")) {
        Some((_, item)) => item,
        None => rest.trim_start(),
    }
}

/// The crate or chore that a file belongs to.
fn package(path: &str) -> &str {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["crates" | "examples", name, ..] => name,
        [folder, ..] => folder,
        [] => path,
    }
}

#[cfg(test)]
mod tests;
