//! Which Python runs the nodes whose drivers only Python has.

use std::path::PathBuf;

use flasher_core::python::PythonChoice;
use flasher_core::tree::DriverTree;
use flasher_core::{Error, Result};

use crate::render::units::shown;

/// What `--python` or FLASHER_PYTHON says, if one of them does.
pub(crate) type PythonOption = Option<PythonChoice>;

/// Which Python it is for the nodes of `tree`: the option's, else the environment's, else that of the exporter YAML, else `auto`.
pub(crate) fn chosen(option: &PythonOption, tree: &DriverTree) -> PythonChoice {
    option.as_ref().or(tree.python_choice()).cloned().unwrap_or(PythonChoice::Auto)
}

/// The interpreter; none when there is no Python to use.
///
/// # Errors
/// When the folder that was named is no virtual environment.
pub(crate) fn interpreter(choice: &PythonChoice) -> Result<Option<PathBuf>> {
    match choice {
        PythonChoice::Off => Ok(None),
        PythonChoice::Auto => Ok(beside_jmp(&std::env::var_os("PATH").unwrap_or_default())),
        PythonChoice::Venv(folder) => {
            let python = folder.join("bin/python");
            let missing = || {
                Error::config(format!("{} is no virtual environment of Python", shown(folder))).help(
                    "give the folder that holds `bin/python`, `auto` or `off`, with `--python` or as `python` in the exporter YAML",
                )
            };
            if python.is_file() { Ok(Some(python)) } else { Err(missing()) }
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
    use flasher_core::tree::TreeParts;

    use super::*;

    #[test]
    fn the_option_comes_before_the_file() {
        let tree = |python| DriverTree::from(TreeParts { python, ..TreeParts::default() });
        for (option, file, expected) in [
            (None, None, PythonChoice::Auto),
            (None, Some(PythonChoice::Off), PythonChoice::Off),
            (Some(PythonChoice::Auto), Some(PythonChoice::Off), PythonChoice::Auto),
        ] {
            assert_eq!(chosen(&option, &tree(file)), expected);
        }
    }

    #[test]
    fn an_environment_is_named_found_or_left() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        assert_eq!(beside_jmp(bin.as_os_str()), None);
        std::fs::write(bin.join("jmp"), "").unwrap();
        assert_eq!(beside_jmp(bin.as_os_str()), None, "no interpreter beside it");
        let venv: PythonChoice = folder.path().to_str().unwrap().parse().unwrap();
        let error = interpreter(&venv).unwrap_err();
        assert!(error.to_string().ends_with("is no virtual environment of Python"), "{error}");
        std::fs::write(bin.join("python"), "").unwrap();
        assert_eq!(beside_jmp(bin.as_os_str()), Some(bin.join("python")));
        assert_eq!(interpreter(&venv).unwrap(), Some(bin.join("python")));
        let off: PythonChoice = "off".parse().unwrap();
        assert_eq!((interpreter(&off).unwrap(), "auto".parse()), (None, Ok(PythonChoice::Auto)));
    }
}
