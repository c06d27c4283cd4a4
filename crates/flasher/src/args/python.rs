//! Which Python runs the nodes whose drivers only Python has.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use flasher_core::{Error, Result};

use crate::render::units::shown;

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
    ///
    /// # Errors
    /// When the folder that was named is no virtual environment.
    pub(crate) fn interpreter(&self) -> Result<Option<PathBuf>> {
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
