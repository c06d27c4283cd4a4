//! `cargo xtask tidy`: the project's rules, executed. Reports every finding of the tree in one go.

#![allow(clippy::print_stdout, reason = "this command talks to the person or CI job that runs it")]

mod bundles;
mod circles;
mod edges;
mod error_texts;
mod finding;
mod manifests;
mod references;
mod rust_text;
mod sources;
mod vocabulary;

use anyhow::{Result, bail};
pub use finding::Finding;
use xtask_support::workspace::Workspace;

/// Checks the workspace around the current directory, and prints what was found.
///
/// # Errors
///
/// When anything was found, or the workspace cannot be read.
pub fn run() -> Result<()> {
    let findings = check(&Workspace::load()?)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => println!("tidy: nothing to report"),
        1 => bail!("tidy: 1 finding"),
        many => bail!("tidy: {many} findings"),
    }
    Ok(())
}

/// All findings in a workspace, sorted.
///
/// # Errors
///
/// When one of its files cannot be read.
pub fn check(workspace: &Workspace) -> Result<Vec<Finding>> {
    let sources = sources::read(workspace)?;
    let mut findings = edges::check(&workspace.packages);
    findings.extend(sources::check(&sources));
    findings.extend(error_texts::check(&sources)?);
    findings.extend(circles::check(workspace, &sources)?);
    findings.extend(bundles::check(workspace, &sources)?);
    findings.extend(manifests::check(workspace)?);
    findings.extend(documents(workspace)?);
    findings.extend(references::check(workspace, &sources)?);
    findings.extend(vocabulary::check(workspace, &sources)?);
    findings.sort();
    Ok(findings)
}

/// The three documents exist, and the list of crates names every one.
fn documents(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        match workspace.read(name)? {
            None => findings.push(Finding::new(name, "missing")),
            Some(text) if name == "ARCHITECTURE.md" => {
                let names = workspace.packages.iter().map(|it| it.name.as_str());
                findings.extend(unmentioned(&text, names));
            }
            Some(_) => {}
        }
    }
    Ok(findings)
}

fn unmentioned<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Vec<Finding> {
    let is_word = |it: char| it.is_alphanumeric() || it == '-' || it == '_';
    let words: Vec<&str> = text.split(|it| !is_word(it)).collect();
    names
        .filter(|it| !words.contains(it))
        .map(|it| Finding::new("ARCHITECTURE.md", format!("does not mention `{it}`")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_is_on_the_map_by_its_whole_name() {
        let map = "* `flasher-core/` is the contract; driver-tftp is a server.";
        assert_eq!(unmentioned(map, ["flasher-core", "driver-tftp"].into_iter()), []);
        let missing = unmentioned(map, ["flasher", "driver-http"].into_iter());
        let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
        assert_eq!(
            missing,
            [
                "ARCHITECTURE.md: does not mention `flasher`",
                "ARCHITECTURE.md: does not mention `driver-http`"
            ]
        );
    }
}
