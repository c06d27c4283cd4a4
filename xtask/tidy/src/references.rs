//! References between documents and files: what a document or a comment names is there.

use crate::finding::Finding;
use crate::rust_text::line_of;
use crate::sources::Source;
use anyhow::{Context, Result};
use pulldown_cmark::{Event, Parser, Tag};
use std::fs;
use std::path::Path;
use xtask_support::workspace::Workspace;

/// Folders whose names begin a path in a document.
const FOLDERS: [&str; 6] = ["crates/", "docs/", "examples/", "fuzz/", "tests/", "xtask/"];

/// All references that lead nowhere.
pub(super) fn check(workspace: &Workspace, sources: &[Source]) -> Result<Vec<Finding>> {
    let exists = |path: &str| workspace.root.join(path).exists();
    let mut findings = Vec::new();
    for path in documents(&workspace.root)? {
        let text = workspace.read(&path)?.with_context(|| format!("{path} vanished"))?;
        findings.extend(in_document(&path, &text, exists));
    }
    findings.extend(sources.iter().flat_map(|it| in_source(&it.path, &it.text, exists)));
    Ok(findings)
}

/// The Markdown files of the root and of `docs`, relative to the root.
pub(super) fn documents(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/decisions"] {
        let listed = root.join(folder);
        for entry in fs::read_dir(&listed).with_context(|| format!("cannot list {}", listed.display()))? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".md") {
                found.push(Path::new(folder).join(name).to_string_lossy().into_owned());
            }
        }
    }
    Ok(found)
}

fn in_document(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let named = Parser::new(text).into_offset_iter().filter_map(|(event, place)| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            let file = dest_url.split('#').next().unwrap_or_default().to_owned();
            let is_local = !file.is_empty() && !dest_url.contains("://");
            is_local.then(|| (place.start, resolved(folder, &file)))
        }
        Event::Code(code) if is_path(&code) => Some((place.start, code.into_string())),
        _ => None,
    });
    let dangling = named.filter(|(_, file)| !exists(file));
    dangling.map(|(at, file)| missing(path, line_of(text, at), &file)).collect()
}

/// `file` as it stands in a document of `folder`, relative to the root.
fn resolved(folder: &str, file: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|it| !it.is_empty()).collect();
    for part in file.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether this is the path of a file, and of one file only.
fn is_path(code: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "/._-".contains(it);
    let has_placeholder = code.split(['/', '.']).any(|it| it.len() > 1 && it == it.to_uppercase());
    FOLDERS.iter().any(|it| code.starts_with(it)) && code.chars().all(is_plain) && !has_placeholder
}

fn in_source(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let comments = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("//"));
    let mut findings = Vec::new();
    for (index, line) in comments {
        let words = line.split(|it: char| !(it.is_ascii_alphanumeric() || "/._-".contains(it)));
        let files = words.filter(|it| it.starts_with("docs/")).map(|it| it.trim_end_matches('.'));
        findings.extend(files.filter(|it| !exists(it)).map(|it| missing(path, index + 1, it)));
        if line.contains("(specification") {
            let text = "cites a document that is not in the repository: name one in `docs/`, or an RFC";
            findings.push(Finding::on_line(path, index + 1, text));
        }
    }
    findings
}

fn missing(path: &str, line: usize, file: &str) -> Finding {
    Finding::on_line(path, line, format!("names `{file}`, which is not there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_document_names_is_there() {
        let there = |it: &str| ["README.md", "docs/wire.md", "crates/flasher"].contains(&it);
        let text = "[a](../README.md) [b](wire.md#calls) `crates/flasher` [web](https://x.y/z) `crates/*.rs`\n\
                    `tests/NAME.rs` [c](gone.md)\n`docs/gone` `crates/flasher --help`\n";
        let found: Vec<_> = in_document("docs/a.md", text, there).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "docs/a.md:2: names `docs/gone.md`, which is not there",
                "docs/a.md:3: names `docs/gone`, which is not there"
            ]
        );
    }

    #[test]
    fn what_a_comment_cites_is_there() {
        let text = "//! See docs/wire.md.\n/// As docs/old.md says.\nlet a = \"docs/none.md\";\n// (specification, 3)\n";
        let found: Vec<_> =
            in_source("a.rs", text, |it| it == "docs/wire.md").iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "a.rs:2: names `docs/old.md`, which is not there",
                "a.rs:4: cites a document that is not in the repository: name one in `docs/`, or an RFC"
            ]
        );
    }
}
