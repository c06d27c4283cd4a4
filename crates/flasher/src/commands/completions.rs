//! `flasher completions`, and what a shell then asks for: names of boards, drivers and devices come from this build and
//! from the exporter YAML in use.

use std::ffi::OsString;
use std::path::PathBuf;

use clap_complete::Shell;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};
use flasher_core::registry;
use flasher_core::tree::DriverTree;
use flasher_core::{Error, Result};

use crate::failure::Failure;
use crate::screen::Screen;

/// In the environment of a process that a shell starts to complete a line; names the shell.
const ASKED: &str = "COMPLETE";
const NAME: &str = "flasher";

/// Prints the script that has the shell ask this program.
pub(super) fn run(shell: Shell, screen: &Screen) -> Result<u8, Failure> {
    let mut script = Vec::new();
    asker(shell)?.write_registration(ASKED, NAME, NAME, NAME, &mut script)?;
    screen.text(&String::from_utf8_lossy(&script))?;
    Ok(0)
}

fn asker(shell: Shell) -> Result<&'static dyn EnvCompleter> {
    match shell {
        Shell::Bash => Ok(&Bash),
        Shell::Elvish => Ok(&Elvish),
        Shell::Fish => Ok(&Fish),
        Shell::PowerShell => Ok(&Powershell),
        Shell::Zsh => Ok(&Zsh),
        other => Err(Error::config(format!("no completions for `{other}`"))
            .help("bash, elvish, fish, powershell and zsh have them")),
    }
}

/// Names of all boards.
pub(crate) fn boards() -> Vec<CompletionCandidate> {
    registry::boards().iter().map(|board| CompletionCandidate::new(board.name)).collect()
}

/// Names of all drivers.
pub(crate) fn drivers() -> Vec<CompletionCandidate> {
    let drivers = registry::drivers();
    let named = |driver: &&registry::DriverEntry| {
        CompletionCandidate::new(driver.name).help(Some(driver.summary.into()))
    };
    drivers.iter().map(named).collect()
}

/// Paths of all nodes of the exporter YAML in use; none when there is none that can be read.
pub(crate) fn devices() -> Vec<CompletionCandidate> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let named = exporter(&words).or_else(|| std::env::var_os("FLASHER_EXPORTER").map(PathBuf::from));
    let tree = named.and_then(|file| exporter_yaml::load(&file).ok());
    tree.iter().flat_map(DriverTree::all).map(|(path, _)| CompletionCandidate::new(path)).collect()
}

/// The file that `--exporter` names among the words of a line.
fn exporter(words: &[OsString]) -> Option<PathBuf> {
    let after = words.iter().zip(words.iter().skip(1)).find(|(word, _)| *word == "--exporter");
    let joined = || words.iter().find_map(|word| word.to_str()?.strip_prefix("--exporter="));
    after.map(|(_, file)| file.into()).or_else(|| joined().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exporter_of_the_line_is_found() {
        let of = |line: &str| exporter(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of("flasher --exporter a.yaml power --device x"), Some("a.yaml".into()));
        assert_eq!(of("flasher power --exporter=b.yaml --device x"), Some("b.yaml".into()));
        assert_eq!(of("flasher power --exporter"), None);
    }
}
