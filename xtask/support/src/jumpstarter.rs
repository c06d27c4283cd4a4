//! Brings Jumpstarter's own Python clients, and a reader of metrics, in an environment of their own below `target`.

use crate::python_environment::PythonEnvironment;
use anyhow::Result;
use std::path::{Path, PathBuf};

const CLIENTS: PythonEnvironment = PythonEnvironment {
    folder: "jumpstarter-0.9.0",
    packages: &[
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
        "prometheus-client==0.23.1",
    ],
};

/// Makes the environment when it is missing or old.
///
/// # Errors
/// When Python 3.11 or the packages cannot be had.
pub fn ensure(root: &Path) -> Result<()> {
    CLIENTS.ensure(root)
}

/// The folder of the environment, made when it is missing or old.
///
/// # Errors
/// When Python 3.11 or the packages cannot be had.
pub fn folder(root: &Path) -> Result<PathBuf> {
    ensure(root)?;
    Ok(CLIENTS.place(root))
}
