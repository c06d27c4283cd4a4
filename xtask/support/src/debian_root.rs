//! A minimal Debian in a folder, for tests of what is installed: what Debian calls required, apt, and what our package depends on.

use crate::programs::{has_program, succeed};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Where it is, below the root of the workspace. Tests look there.
const FOLDER: &str = "target/debian-root";
/// What the package depends on beside that.
const NEEDED: &str = "--include=wget";
/// The release.
const RELEASE: &str = "bookworm";

/// Makes it unless it is there; debootstrap checks signatures and digests.
///
/// # Errors
/// When this is not root, debootstrap is absent, or a package cannot be fetched.
pub fn ensure(root: &Path) -> Result<()> {
    let (folder, making) = (root.join(FOLDER), root.join(format!("{FOLDER}.making")));
    if folder.is_dir() {
        return Ok(());
    }
    if !has_program("debootstrap") {
        bail!("debootstrap is absent; on Debian install debootstrap");
    }
    // One that was cut short before must not be taken for a whole one.
    if making.exists() {
        fs::remove_dir_all(&making).with_context(|| format!("cannot remove {}", making.display()))?;
    }
    succeed(Command::new("debootstrap").args(["--variant=minbase", NEEDED, RELEASE]).arg(&making))?;
    fs::rename(&making, &folder).with_context(|| format!("cannot move to {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_there_is_not_made_again() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join(FOLDER)).unwrap();
        ensure(root.path()).unwrap();
    }
}
