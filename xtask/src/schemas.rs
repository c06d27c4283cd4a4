//! `cargo xtask schemas`: the JSON Schemas beside the examples, made anew out of the types.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Stdio;
use xtask_support::workspace::{Workspace, cargo};

/// What `flasher schema` calls it, and the file.
const SCHEMAS: [(&str, &str); 4] = [
    ("exporter", "examples/exporter.schema.json"),
    ("bundle", "examples/bundle.schema.json"),
    ("receipt", "examples/receipt.schema.json"),
    ("events", "examples/events.schema.json"),
];

/// Writes them.
pub(crate) fn run() -> Result<()> {
    write(&Workspace::load()?.root)
}

/// Writes them below `root`: builds the command line first.
///
/// # Errors
///
/// When it does not build, or a file cannot be written.
pub(crate) fn write(root: &Path) -> Result<()> {
    for (name, file) in SCHEMAS {
        let mut command = cargo();
        command.args(["run", "--quiet", "-p", "flasher", "--", "schema", name]).current_dir(root);
        let output = command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
        if !output.status.success() {
            bail!("`flasher schema {name}` failed; {file} is as it was");
        }
        std::fs::write(root.join(file), output.stdout).with_context(|| format!("cannot write {file}"))?;
        println!("wrote {file}");
    }
    Ok(())
}
