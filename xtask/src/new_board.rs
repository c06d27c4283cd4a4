//! `cargo xtask new-board NAME`: a manifest to fill in, the line that registers it, and the schemas that know its name.

use crate::edit::{check_name, insert_sorted};
use crate::schemas;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use xtask_support::workspace::Workspace;

const BOARDS: &str = "crates/flasher-bundles/boards";
const LINES: &str = "crates/flasher-bundles/src/boards.rs";

/// Options of `cargo xtask new-board`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the board, for example `acme-one`
    name: String,
}

/// Writes the manifest and its line.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = Workspace::load()?.root;
    write(&root, &args.name)?;
    println!("wrote {BOARDS}/{}.yaml and its line in {LINES}", args.name);
    schemas::write(&root)?;
    println!("next: replace addresses, boot command and targets by the board's own");
    Ok(())
}

fn write(root: &Path, name: &str) -> Result<()> {
    check_name(name)?;
    let manifest = root.join(BOARDS).join(format!("{name}.yaml"));
    if manifest.exists() {
        bail!("{BOARDS}/{name}.yaml exists; choose another name or edit it by hand");
    }
    let text = fs::read_to_string(root.join(LINES)).with_context(|| format!("cannot read {LINES}"))?;
    fs::create_dir_all(root.join(BOARDS)).with_context(|| format!("cannot create {BOARDS}"))?;
    let filled = include_str!("new_board/board.yaml.template").replace("@NAME@", name);
    fs::write(&manifest, filled).with_context(|| format!("cannot write {}", manifest.display()))?;
    fs::write(root.join(LINES), registered(&text, name)).with_context(|| format!("cannot write {LINES}"))
}

/// The text with the board's line, written as its neighbours write theirs.
fn registered(text: &str, name: &str) -> String {
    let macro_path = ["flasher_core::register_bundle!(", "register_bundle!("]
        .into_iter()
        .find(|it| text.lines().any(|line| line.starts_with(it)))
        .unwrap_or("flasher_core::register_bundle!(");
    insert_sorted(text, &format!("{macro_path}\"{name}\");"), |it| it.starts_with(macro_path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_board_is_written_and_registered_in_order() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir_all(tree.path().join("crates/flasher-bundles/src")).unwrap();
        let lines = "//! A.\n\nuse flasher_core::register_bundle;\n\nregister_bundle!(\"acme\");\nregister_bundle!(\"zeta\");\n";
        fs::write(tree.path().join(LINES), lines).unwrap();
        write(tree.path(), "acme-one").unwrap();
        let expected = lines
            .replace("register_bundle!(\"zeta", "register_bundle!(\"acme-one\");\nregister_bundle!(\"zeta");
        assert_eq!(fs::read_to_string(tree.path().join(LINES)).unwrap(), expected);
        let manifest = fs::read_to_string(tree.path().join(BOARDS).join("acme-one.yaml")).unwrap();
        assert!(manifest.contains("\n  name: acme-one\n") && !manifest.contains('@'), "{manifest}");
        let again = write(tree.path(), "acme-one").unwrap_err().to_string();
        let refused =
            "crates/flasher-bundles/boards/acme-one.yaml exists; choose another name or edit it by hand";
        assert_eq!(again, refused);
    }

    #[test]
    fn the_first_board_of_a_file_needs_no_neighbour() {
        assert_eq!(registered("//! A.\n", "a"), "//! A.\nflasher_core::register_bundle!(\"a\");\n");
        let text = "//! A.\nflasher_core::register_bundle!(\"b\");\n";
        assert_eq!(
            registered(text, "a"),
            text.replace("flasher", "flasher_core::register_bundle!(\"a\");\nflasher")
        );
    }
}
