//! What the rows of both protocols are measured with: programs and folders.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// Programs and folders.
pub(super) struct Bench {
    /// Our program.
    pub(super) flasher: PathBuf,
    /// Where others' servers were unpacked.
    pub(super) peers: PathBuf,
    /// A folder for this run.
    pub(super) lab: PathBuf,
    /// How often each row is measured.
    pub(super) runs: u32,
    /// Ours only.
    pub(super) alone: bool,
}

impl Bench {
    /// The folder that is served.
    pub(super) fn root(&self) -> PathBuf {
        self.lab.join("www")
    }
}

/// Lets every user of the machine read a file, or look into a folder.
pub(super) fn open_to_all(path: &Path) -> Result<()> {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}
