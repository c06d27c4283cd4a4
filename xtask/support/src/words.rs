//! Brings `typos`, which finds misspelt words, in an environment of its own below `target`.

use crate::programs::succeed;
use crate::python_environment::PythonEnvironment;
use anyhow::Result;
use std::path::Path;
use std::process::Command;

const TYPOS: PythonEnvironment = PythonEnvironment { folder: "typos-1", packages: &["typos==1.52.0"] };

/// Makes the environment when it is missing or old.
///
/// # Errors
/// When Python 3.11 or the package cannot be had.
pub fn ensure(root: &Path) -> Result<()> {
    TYPOS.ensure(root)
}

/// Checks the words of the whole tree. `_typos.toml` says what is left out.
///
/// # Errors
/// When a word is misspelt; each is shown with its place.
pub fn check(root: &Path) -> Result<()> {
    succeed(Command::new(TYPOS.place(root).join("bin/typos")).current_dir(root))
}
