//! An apt of our own, which fetches packages of any architecture of the machine's own Debian release.
//!
//! It has its own state, cache and architecture, and takes only sources, keys and network settings from the machine: nothing of
//! the machine changes, and no privilege is needed. Apt checks signatures and digests.

use crate::programs::output;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CONFIGURATION: &str = "apt.conf";

/// An apt with its own configuration.
#[derive(Debug)]
pub struct OwnApt {
    folder: PathBuf,
}

impl OwnApt {
    /// An apt that keeps its state in `folder` and knows packages of `architecture` alone.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written, or the machine has no apt.
    pub fn new(folder: &Path, architecture: &str) -> Result<Self> {
        for name in ["lists/partial", "archives/partial"] {
            let path = folder.join(name);
            fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        }
        let folder = folder.canonicalize().with_context(|| format!("cannot use {}", folder.display()))?;
        let dump = output(Command::new("apt-config").arg("dump"))?;
        let text = configuration(&folder.to_string_lossy(), architecture, &dump);
        fs::write(folder.join("status"), "")
            .and_then(|()| fs::write(folder.join(CONFIGURATION), text))
            .with_context(|| format!("cannot write into {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// The same apt with these rules of preference (apt_preferences(5)) for versions of packages, in place of the machine's.
    ///
    /// # Errors
    ///
    /// When its folder cannot be written.
    pub fn with_preferences(self, text: &str) -> Result<Self> {
        let (rules, configuration) = (self.folder.join("preferences"), self.folder.join(CONFIGURATION));
        let names_them = format!("Dir::Etc::preferences \"{}\";\n", rules.display());
        fs::read_to_string(&configuration)
            .and_then(|before| fs::write(&configuration, before + &names_them))
            .and_then(|()| fs::write(&rules, text))
            .with_context(|| format!("cannot write into {}", self.folder.display()))?;
        Ok(self)
    }

    /// What one of apt's programs prints. It runs in a folder without package files, so that it plans for each of them.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub fn run(&self, program: &str, args: &[&str]) -> Result<String> {
        output(self.command(program, args).current_dir(&self.folder))
    }

    /// One of apt's programs, in this apt's name.
    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env("APT_CONFIG", self.folder.join(CONFIGURATION)).env("LC_ALL", "C");
        command
    }
}

/// `machine` is what `apt-config dump` says; of it, only how to reach and trust a mirror is taken over, and no hooks.
fn configuration(folder: &str, architecture: &str, machine: &str) -> String {
    let network: String =
        machine.lines().filter(|it| it.starts_with("Acquire::")).map(|it| format!("{it}\n")).collect();
    format!(
        "{network}Dir::Etc::main \"/dev/null\";\nDir::Etc::parts \"/dev/null\";\n\
         APT::Architecture \"{architecture}\";\nAPT::Architectures {{ \"{architecture}\"; }};\nAPT::Sandbox::User \"root\";\n\
         Dir::State \"{folder}\";\nDir::State::lists \"{folder}/lists\";\nDir::State::status \"{folder}/status\";\n\
         Dir::Cache \"{folder}\";\nDir::Cache::archives \"{folder}/archives\";\n\
         Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\nAcquire::Languages {{ \"none\"; }};\nAcquire::Retries \"5\";\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_preference_are_ours() {
        let folder = tempfile::tempdir().unwrap();
        let rules = "Package: *\nPin: release l=Other\nPin-Priority: 200\n";
        let apt = OwnApt::new(folder.path(), "armhf").unwrap().with_preferences(rules).unwrap();
        let said = apt.run("apt-config", &["dump", "Dir::Etc::preferences"]).unwrap();
        let file = folder.path().canonicalize().unwrap().join("preferences");
        assert_eq!(said, format!("Dir::Etc::preferences \"{}\";\n", file.display()));
        assert_eq!(fs::read_to_string(file).unwrap(), rules);
    }

    #[test]
    fn the_proxy_of_the_machine_is_used_and_its_hooks_are_not() {
        let machine = "APT::Update::Post-Invoke:: \"rm -f /x\";\nAcquire::http::Proxy \"http://p\";\n";
        let text = configuration("/c/apt", "armhf", machine);
        assert!(text.starts_with("Acquire::http::Proxy \"http://p\";\nDir::Etc::main"), "{text}");
        assert!(text.contains("APT::Architectures { \"armhf\"; };"), "{text}");
        assert!(!text.contains("Invoke"));
    }
}
