//! `cargo xtask new-driver NAME`: a working power driver to start from, linked into the build.

use crate::edit::{check_name, insert_dependency, insert_sorted};
use crate::schemas;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask_support::workspace::Workspace;

const ROOT: &str = "Cargo.toml";
const BUNDLES_MANIFEST: &str = "crates/flasher-bundles/Cargo.toml";
const ARCHITECTURE: &str = "ARCHITECTURE.md";
/// The paragraph of ARCHITECTURE.md before which the new driver has its own.
const NEXT_PARAGRAPH: &str = "**driver-tftp**";
const BUNDLES_LIBRARY: &str = "crates/flasher-bundles/src/lib.rs";

/// Options of `cargo xtask new-driver`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the driver as an exporter YAML will give it, for example `relay-foo`
    name: String,
}

/// Writes the crate and the lines that link it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = Workspace::load()?.root;
    for path in write(&root, &args.name)? {
        println!("wrote {path}");
    }
    format(&root.join(format!("crates/driver-{}/src/lib.rs", args.name)))?;
    schemas::write(&root)?;
    println!(
        "next: say in crates/driver-{0}/src/lib.rs and in {ARCHITECTURE} what it does, then `cargo test -p driver-{0}`",
        args.name
    );
    Ok(())
}

/// Formats the new file: where its lines break depends on the length of the name.
fn format(path: &Path) -> Result<()> {
    let status = Command::new("rustfmt").arg(path).status().context("`rustfmt` did not start")?;
    if !status.success() {
        bail!("`rustfmt {}`: {status}", path.display());
    }
    Ok(())
}

/// Makes all edits, or none when one of them cannot be made; returns the paths written.
fn write(root: &Path, name: &str) -> Result<Vec<String>> {
    check_name(name)?;
    if name.starts_with("driver-") {
        bail!("`{name}`: leave `driver-` out, the crate gets it by itself");
    }
    let folder = format!("crates/driver-{name}");
    if root.join(&folder).exists() {
        bail!("{folder} exists; choose another name or edit it by hand");
    }
    let files = files(root, name, &folder)?;
    fs::create_dir_all(root.join(&folder).join("src")).with_context(|| format!("cannot create {folder}"))?;
    for (path, text) in &files {
        fs::write(root.join(path), text).with_context(|| format!("cannot write {path}"))?;
    }
    Ok(files.into_iter().map(|it| it.0).collect())
}

/// Paths and new texts of everything that changes.
fn files(root: &Path, name: &str, folder: &str) -> Result<Vec<(String, String)>> {
    let read =
        |path: &str| fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"));
    let ours = |it: &str| it.starts_with("driver-") && it.contains("path = \"crates/");
    let member = format!("driver-{name} = {{ path = \"{folder}\" }}");
    let dependency = format!("driver-{name}.workspace = true");
    let link = format!("use driver_{} as _;", name.replace('-', "_"));
    let library = read(BUNDLES_LIBRARY)?;
    Ok(vec![
        (format!("{folder}/Cargo.toml"), fill(include_str!("new_driver/Cargo.toml.template"), name)),
        (format!("{folder}/src/lib.rs"), fill(include_str!("new_driver/lib.rs.template"), name)),
        (ARCHITECTURE.to_owned(), with_paragraph(&read(ARCHITECTURE)?, name)?),
        (ROOT.to_owned(), insert_sorted(&read(ROOT)?, &member, ours)),
        (BUNDLES_MANIFEST.to_owned(), insert_dependency(&read(BUNDLES_MANIFEST)?, &dependency)?),
        (BUNDLES_LIBRARY.to_owned(), insert_sorted(&library, &link, |it| it.starts_with("use driver_"))),
    ])
}

/// Every crate is mentioned in ARCHITECTURE.md: the driver gets its paragraph.
fn with_paragraph(text: &str, name: &str) -> Result<String> {
    let at = text.find(NEXT_PARAGRAPH).with_context(|| format!("{ARCHITECTURE} has no {NEXT_PARAGRAPH}"))?;
    let paragraph = format!("**driver-{name}** switches power by writing a word to a file.\n");
    Ok(format!("{}{paragraph}{}", &text[..at], &text[at..]))
}

/// Puts the name, and the type named after it, into a template.
fn fill(template: &str, name: &str) -> String {
    template.replace("@NAME@", name).replace("@TYPE@", &type_name(name))
}

/// `relay-foo` becomes `RelayFoo`.
fn type_name(name: &str) -> String {
    let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
    name.split('-').map(capital).collect()
}

#[cfg(test)]
mod fresh;

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of a small workspace that `new-driver` edits.
    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir_all(tree.path().join("crates/flasher-bundles/src")).unwrap();
        let root = "[workspace.dependencies]\ndriver-http = { path = \"crates/driver-http\" }\ndriver-tftp = { path = \"crates/driver-tftp\" }\n";
        fs::write(tree.path().join(ROOT), root).unwrap();
        fs::write(tree.path().join(BUNDLES_MANIFEST), "[dependencies]\ndriver-http.workspace = true\n")
            .unwrap();
        fs::write(tree.path().join(ARCHITECTURE), "**driver-http** serves.\n**driver-tftp** too.\n").unwrap();
        fs::write(tree.path().join(BUNDLES_LIBRARY), "//! A.\n\nuse driver_http as _;\n").unwrap();
        tree
    }

    #[test]
    fn a_new_driver_is_written_and_linked() {
        let tree = tree();
        assert_eq!(write(tree.path(), "relay-foo").unwrap().len(), 6);
        let read = |path: &str| fs::read_to_string(tree.path().join(path)).unwrap();
        let member = "driver-relay-foo = { path = \"crates/driver-relay-foo\" }\ndriver-tftp";
        assert!(read(ROOT).contains(member), "{}", read(ROOT));
        assert!(read(BUNDLES_MANIFEST).ends_with("driver-relay-foo.workspace = true\n"));
        assert!(read(BUNDLES_LIBRARY).ends_with("use driver_http as _;\nuse driver_relay_foo as _;\n"));
        assert!(read("crates/driver-relay-foo/Cargo.toml").contains("name = \"driver-relay-foo\""));
        let paragraph =
            "serves.\n**driver-relay-foo** switches power by writing a word to a file.\n**driver-tftp**";
        assert!(read(ARCHITECTURE).contains(paragraph), "{}", read(ARCHITECTURE));
        let library = read("crates/driver-relay-foo/src/lib.rs");
        assert!(library.contains("register_switch!(RelayFoo);") && !library.contains('@'), "{library}");
    }

    #[test]
    fn nothing_is_written_for_a_bad_name_or_an_existing_crate() {
        let tree = tree();
        fs::create_dir_all(tree.path().join("crates/driver-tftp")).unwrap();
        let cases = [
            (
                "Relay",
                "`Relay` is no good name: use small letters and digits, with single hyphens between, a letter first",
            ),
            ("driver-relay", "`driver-relay`: leave `driver-` out, the crate gets it by itself"),
            ("tftp", "crates/driver-tftp exists; choose another name or edit it by hand"),
        ];
        for (name, expected) in cases {
            assert_eq!(write(tree.path(), name).unwrap_err().to_string(), expected);
        }
        assert!(!fs::read_to_string(tree.path().join(BUNDLES_LIBRARY)).unwrap().contains("tftp"));
    }

    #[test]
    fn trees_without_crates_are_refused() {
        let tree = tempfile::tempdir().unwrap();
        let error = write(tree.path(), "relay").unwrap_err();
        assert_eq!(error.to_string(), "cannot read crates/flasher-bundles/src/lib.rs");
        assert!(!tree.path().join("crates").exists());
    }
}
