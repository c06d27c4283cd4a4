//! The driver tree of the exporter YAML, or of the exporter of `--remote`: made for a command, and let go after it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use flasher_core::tree::DriverTree;
use flasher_core::{Error, Result, safe};

use super::remote;
use crate::args::remote::RemoteArgs;
use crate::failure::Failure;
use crate::screen::Screen;

/// Bound on letting go of every node.
const CLOSE: Duration = Duration::from_secs(10);

/// The tree of the exporter YAML, or how to name one.
///
/// # Errors
/// When none is named, or its file has problems.
pub(super) fn load(exporter: Option<&Path>) -> Result<DriverTree, Failure> {
    Ok(exporter_yaml::load(named(exporter)?)?)
}

/// The tree of the exporter that `--remote` names or that was leased, or else of the exporter YAML.
///
/// # Errors
/// When neither is named, the file has problems, or the exporter does not answer or refuses us.
pub(super) async fn open(exporter: Option<&Path>, remote: &RemoteArgs) -> Result<DriverTree, Failure> {
    match remote.is_elsewhere() {
        true => Ok(remote::exporter(remote).await?.tree()),
        false => load(exporter),
    }
}

/// The exporter YAML that was named on the command line or in the environment.
///
/// # Errors
/// When none was.
pub(super) fn named(exporter: Option<&Path>) -> Result<&Path> {
    exporter.ok_or_else(|| {
        Error::config("no exporter YAML is named").help("give `--exporter FILE`, or set FLASHER_EXPORTER")
    })
}

/// The same for a command that keeps the path.
///
/// # Errors
/// As [`named`].
pub(super) fn required(exporter: Option<PathBuf>) -> Result<PathBuf> {
    named(exporter.as_deref()).map(Path::to_path_buf)
}

/// Closes every node; what could not be let go is said, and does not change how the command ended.
pub(super) async fn close(tree: &DriverTree, screen: &Screen) {
    let closed = tokio::time::timeout(CLOSE, tree.close()).await.unwrap_or_else(|_| {
        Err(Error::infrastructure(format!("the nodes were not let go within {} s", CLOSE.as_secs())))
    });
    if let Err(error) = closed {
        screen.aside(&format!("warning: {}\n", safe::one_line(&error.cause())));
    }
}
