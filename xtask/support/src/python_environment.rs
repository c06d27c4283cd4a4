//! Python packages in an environment of their own below `target`.

use crate::programs::succeed;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An environment and what is installed in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PythonEnvironment {
    /// Where it is, below the target folder. Tests look there.
    pub(crate) folder: &'static str,
    /// What is installed. The stamp has this list, so that a change makes the environment anew.
    pub(crate) packages: &'static [&'static str],
}

impl PythonEnvironment {
    /// Makes the environment when it is missing or old.
    ///
    /// # Errors
    /// When Python 3.11 or the packages cannot be had.
    pub(crate) fn ensure(self, root: &Path) -> Result<()> {
        let (folder, stamp) = (self.place(root), self.packages.join("\n"));
        if fs::read_to_string(folder.join("stamp")).is_ok_and(|found| found == stamp) {
            return Ok(());
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).context("the old environment cannot be removed")?;
        }
        succeed(Command::new(python()?).args(["-m", "venv"]).arg(&folder))?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--retries", "3"]).args(self.packages);
        succeed(&mut pip)?;
        fs::write(folder.join("stamp"), stamp).context("the stamp cannot be written")
    }

    /// The folder of the environment.
    pub(crate) fn place(self, root: &Path) -> PathBuf {
        let target = std::env::var_os("CARGO_TARGET_DIR");
        target.map_or_else(|| root.join("target"), PathBuf::from).join(self.folder)
    }
}

/// The first Python that is 3.11 or later and has `venv`: the packages want no earlier one.
fn python() -> Result<&'static str> {
    let check = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))";
    let fits =
        |name: &&&str| Command::new(name).args(["-c", check]).output().is_ok_and(|it| it.status.success());
    match ["python3.11", "/usr/bin/python3", "python3"].iter().find(fits) {
        Some(name) => Ok(name),
        None => bail!("no Python 3.11 with `venv`; on Debian 12 install python3-venv"),
    }
}
