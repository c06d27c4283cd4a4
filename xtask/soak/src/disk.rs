//! The medium as a disk of this machine: a loop device.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

/// A disk of a file; it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct LoopDisk {
    pub(crate) device: PathBuf,
    /// Held open by another program than the one that is tried.
    held: Option<File>,
}

impl LoopDisk {
    /// A disk of this file, made with these options of `losetup`; none where this machine gives none.
    pub(crate) fn of(file: &Path, options: &[&str]) -> Option<Self> {
        let mut command = Command::new("losetup");
        command.args(["--find", "--show"]).args(options).arg(file).stderr(Stdio::null());
        let output = command.output().ok().filter(|output| output.status.success())?;
        let device = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
        Some(Self { device, held: None })
    }

    /// Opens it for this program alone.
    pub(crate) fn hold(&mut self) -> Result<()> {
        let exclusive = rustix::fs::OFlags::EXCL.bits().cast_signed();
        let mut options = File::options();
        let file = options.read(true).custom_flags(exclusive).open(&self.device);
        self.held = Some(file.with_context(|| format!("cannot hold `{}`", self.device.display()))?);
        Ok(())
    }

    /// Lets go of it.
    pub(crate) fn release(&mut self) {
        self.held = None;
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        self.release();
        // What cannot be detached is seen in `losetup --list`; the next case gets another one.
        Command::new("losetup").arg("--detach").arg(&self.device).status().ok();
    }
}
