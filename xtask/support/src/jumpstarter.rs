//! Brings Jumpstarter's own Python clients, in an environment of their own below `target`.

use crate::programs::succeed;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where they are, below the target folder. Tests look there.
const FOLDER: &str = "jumpstarter-0.9.0";
/// What is installed. The stamp has this list, so that a change makes the environment anew.
const PACKAGES: &[&str] = &[
    "jumpstarter==0.9.0",
    "jumpstarter-cli==0.9.0",
    "jumpstarter-driver-composite==0.9.0",
    "jumpstarter-driver-flashers==0.9.0",
    "jumpstarter-driver-http==0.9.0",
    "jumpstarter-driver-opendal==0.9.0",
    "jumpstarter-driver-power==0.9.0",
    "jumpstarter-driver-pyserial==0.9.0",
    "jumpstarter-driver-tftp==0.9.0",
    "jumpstarter-driver-uboot==0.9.0",
];

/// Makes the environment when it is missing or old.
///
/// # Errors
/// When Python 3.11 or the packages cannot be had.
pub fn ensure(root: &Path) -> Result<()> {
    let (folder, stamp) = (place(root), PACKAGES.join("\n"));
    if fs::read_to_string(folder.join("stamp")).is_ok_and(|found| found == stamp) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).context("the old environment cannot be removed")?;
    }
    succeed(Command::new(python()?).args(["-m", "venv"]).arg(&folder))?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--retries", "3"]).args(PACKAGES);
    succeed(&mut pip)?;
    fs::write(folder.join("stamp"), stamp).context("the stamp cannot be written")
}

/// The folder of the environment, made when it is missing or old.
///
/// # Errors
/// When Python 3.11 or the packages cannot be had.
pub fn folder(root: &Path) -> Result<PathBuf> {
    ensure(root)?;
    Ok(place(root))
}

fn place(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join(FOLDER)
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
