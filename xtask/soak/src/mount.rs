//! A small disk in a folder.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A disk in memory; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Mount {
    place: PathBuf,
}

impl Mount {
    /// A disk of so many bytes; none where this machine does not let us.
    pub(crate) fn small(place: PathBuf, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(&place).ok()?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "soak"]).arg(&place);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success()).then_some(Self { place })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // What cannot be unmounted is seen among what is left of the case.
        Command::new("umount").arg("--lazy").arg(&self.place).status().ok();
    }
}
