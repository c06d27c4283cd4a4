//! Rules on each `Cargo.toml`: versions, lints and dependencies come from the workspace.

use crate::finding::Finding;
use anyhow::{Context, Result};
use xtask_support::workspace::Workspace;

/// All findings in the manifests of the members.
pub(super) fn check(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    // An example is written as a user outside the tree would write it.
    for package in workspace.packages.iter().filter(|it| !it.folder.starts_with("examples/")) {
        let path = package.manifest();
        let text = workspace.read(&path)?.with_context(|| format!("{path} vanished"))?;
        findings.extend(check_manifest(&path, &text));
    }
    Ok(findings)
}

fn check_manifest(path: &str, text: &str) -> Vec<Finding> {
    let entries = entries(text);
    let inherits = |table: &str, key: &str| {
        let dotted = format!("{key}.workspace");
        entries.iter().any(|it| {
            it.table == table
                && ((it.key == dotted && it.value == "true") || (it.key == key && from_workspace(it.value)))
        })
    };
    let mut findings = Vec::new();
    for key in ["version", "edition", "rust-version", "license"] {
        if !inherits("package", key) {
            findings.push(Finding::new(path, format!("lacks `{key}.workspace = true`")));
        }
    }
    if !entries.iter().any(|it| it.table == "lints" && it.key == "workspace" && it.value == "true") {
        findings.push(Finding::new(path, "lacks `[lints] workspace = true`"));
    }
    findings.extend(entries.iter().filter(|it| it.is_own_dependency()).map(|it| {
        let text =
            format!("`{}` does not come from the workspace: versions live in the root Cargo.toml", it.key);
        Finding::on_line(path, it.line, text)
    }));
    findings
}

/// One `key = value` line of a manifest and the table it is in.
#[derive(Debug)]
struct Entry<'a> {
    line: usize,
    table: &'a str,
    key: &'a str,
    value: &'a str,
}

impl Entry<'_> {
    fn is_own_dependency(&self) -> bool {
        let is_dependency = self.table.ends_with("dependencies");
        is_dependency && !self.key.ends_with(".workspace") && !from_workspace(self.value)
    }
}

fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut table = "";
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            table = line.trim_start_matches('[').split(']').next().unwrap_or_default();
        } else if let Some((key, value)) = line.split_once('=')
            && line.starts_with(|it: char| it.is_alphanumeric())
        {
            found.push(Entry { line: index + 1, table, key: key.trim(), value: value.trim() });
        }
    }
    found
}

fn from_workspace(value: &str) -> bool {
    value.starts_with('{') && value.split(['{', ',', '}']).any(|it| it.replace(' ', "") == "workspace=true")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\nversion.workspace = true\nedition = { workspace = true }\n\
        rust-version.workspace = true\nlicense.workspace = true\n\n[lints]\nworkspace = true\n\n[dependencies]\n\
        b.workspace = true\nc = { workspace = true, optional = true }\n\n[target.'cfg(unix)'.dependencies]\n\
        d = { workspace = true }\n\n[features]\ne = [\"dep:c\"]\n";

    fn found(text: &str) -> Vec<String> {
        check_manifest("crates/a/Cargo.toml", text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_manifest_that_inherits_everything_is_accepted() {
        assert_eq!(found(GOOD), [""; 0]);
    }

    #[test]
    fn what_a_manifest_does_not_inherit_is_reported() {
        let own = GOOD
            .replace("version.workspace = true\nedition", "version = \"1\"\nedition")
            .replace("[lints]\nworkspace = true", "")
            .replace("b.workspace = true", "b = \"1\"");
        let expected = [
            "crates/a/Cargo.toml: lacks `version.workspace = true`",
            "crates/a/Cargo.toml: lacks `[lints] workspace = true`",
            "crates/a/Cargo.toml:11: `b` does not come from the workspace: versions live in the root Cargo.toml",
        ];
        assert_eq!(found(&own), expected);
    }
}
