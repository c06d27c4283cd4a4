//! What the program is made of: every crate with version, licence and origin, as CycloneDX 1.5 (a software bill of materials).

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use xtask_support::programs::succeed;
use xtask_support::tools::CYCLONEDX;
use xtask_support::workspace::Workspace;

/// What cargo-cyclonedx calls its file beside each manifest, without `.json`.
const BESIDE: &str = "flasher-bill-of-materials";

/// Writes it into `made` and gives its name. `epoch`: when it says that it was made, seconds since 1970.
///
/// # Errors
/// When cargo-cyclonedx fails, or a file cannot be written.
pub(super) fn write(workspace: &Workspace, made: &Path, epoch: &str) -> Result<String> {
    let root = &workspace.root;
    let mut tool = CYCLONEDX.command(root)?;
    tool.args(["--manifest-path", "crates/flasher/Cargo.toml", "--format", "json", "--spec-version", "1.5"]);
    tool.args(["--no-build-deps", "--quiet", "--override-filename", BESIDE]).env("SOURCE_DATE_EPOCH", epoch);
    let written = succeed(&mut tool).and_then(|()| {
        let text = fs::read_to_string(root.join(format!("crates/flasher/{BESIDE}.json")))?;
        let name = format!("flasher-{}.cdx.json", env!("CARGO_PKG_VERSION"));
        fs::write(made.join(&name), without_folder(&text, root))
            .context("cannot write what the program is made of")?;
        Ok(name)
    });
    remove(workspace)?;
    written
}

/// The folder of the tree is the same everywhere, so that two builds give the same bytes.
fn without_folder(text: &str, root: &Path) -> String {
    text.replace(&format!("file://{}", root.display()), "file:///flasher")
}

/// It writes one for every member.
fn remove(workspace: &Workspace) -> Result<()> {
    for package in &workspace.packages {
        let file = workspace.root.join(&package.folder).join(format!("{BESIDE}.json"));
        if file.exists() {
            fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_the_tree_is_not_named() {
        let text = r#""path+file:///home/me/flasher/crates/flasher#0.2.0""#;
        let expected = r#""path+file:///flasher/crates/flasher#0.2.0""#;
        assert_eq!(without_folder(text, Path::new("/home/me/flasher")), expected);
    }
}
