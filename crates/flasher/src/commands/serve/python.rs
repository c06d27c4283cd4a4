//! Jumpstarter's Python for the nodes whose drivers only it has: which one, and what it cannot run.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use exporter_grpc::PythonExporter;
use flasher_core::tree::DeviceTree;
use flasher_core::{Device, Error, Result, safe};

use crate::render::units::shown;
use crate::screen::Screen;

/// Which Python runs such nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PythonChoice {
    /// The one whose `jmp` is in PATH.
    Auto,
    /// None.
    Off,
    /// That of a virtual environment.
    Venv(PathBuf),
}

impl FromStr for PythonChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Self::Auto,
            "off" => Self::Off,
            folder => Self::Venv(folder.into()),
        })
    }
}

impl PythonChoice {
    /// The interpreter; none when there is no Python to use.
    fn interpreter(&self) -> Result<Option<PathBuf>> {
        match self {
            Self::Off => Ok(None),
            Self::Auto => Ok(beside_jmp(&std::env::var_os("PATH").unwrap_or_default())),
            Self::Venv(folder) => {
                let python = folder.join("bin/python");
                let missing = || {
                    Error::config(format!("{} is no virtual environment of Python", shown(folder)))
                        .help("give the folder that holds `bin/python`, `auto` or `off`")
                };
                if python.is_file() { Ok(Some(python)) } else { Err(missing()) }
            }
        }
    }
}

/// The interpreter beside the first `jmp` of a search path.
fn beside_jmp(path: &std::ffi::OsStr) -> Option<PathBuf> {
    let folder = std::env::split_paths(path).find(|folder| folder.join("jmp").is_file())?;
    Some(folder.join("python")).filter(|python| python.is_file())
}

/// Starts Python when the tree has nodes for it, and names those that stay not available.
///
/// # Errors
/// When a Python that was asked for by name is missing or does not start.
pub(super) async fn start(
    choice: &PythonChoice,
    tree: &DeviceTree,
    screen: &Screen,
) -> Result<Option<Arc<PythonExporter>>> {
    let started = match choice.interpreter()? {
        Some(interpreter) => beside(&interpreter, tree).await,
        None => Ok(None),
    };
    let started = match (started, choice) {
        (Err(error), PythonChoice::Auto) => {
            screen.aside(&format!("warning: {}\n", safe::one_line(&error.cause())));
            None
        }
        (started, _) => started?,
    };
    warn(tree, started.as_deref(), screen);
    Ok(started)
}

async fn beside(interpreter: &Path, tree: &DeviceTree) -> Result<Option<Arc<PythonExporter>>> {
    PythonExporter::start(interpreter, tree).await
}

/// Names the nodes that clients will find not available.
fn warn(tree: &DeviceTree, python: Option<&PythonExporter>, screen: &Screen) {
    for (path, device) in tree.all() {
        let Device::Python(node) = device else { continue };
        if node.path() != path || python.is_some_and(|python| python.runs(&path)) {
            continue;
        }
        let why = python.and_then(|python| python.failed().get(&path));
        let why = why.map(|why| format!("; Python says: {}", safe::one_line(why))).unwrap_or_default();
        screen.aside(&format!("warning: {}{why}\n", node.refusal().cause()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_named_found_or_left() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        assert_eq!(beside_jmp(bin.as_os_str()), None);
        std::fs::write(bin.join("jmp"), "").unwrap();
        assert_eq!(beside_jmp(bin.as_os_str()), None, "no interpreter beside it");
        let venv: PythonChoice = folder.path().to_str().unwrap().parse().unwrap();
        let error = venv.interpreter().unwrap_err();
        assert!(error.to_string().ends_with("is no virtual environment of Python"), "{error}");
        std::fs::write(bin.join("python"), "").unwrap();
        assert_eq!(beside_jmp(bin.as_os_str()), Some(bin.join("python")));
        assert_eq!(venv.interpreter().unwrap(), Some(bin.join("python")));
        let off: PythonChoice = "off".parse().unwrap();
        assert_eq!((off.interpreter().unwrap(), "auto".parse()), (None, Ok(PythonChoice::Auto)));
    }
}
