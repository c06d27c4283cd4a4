//! What is asked of apt and dpkg.

use super::suites;
use crate::programs::{has_program, succeed};
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: &str = "/etc/apt";
/// Debian's packages ask this program before they start a service (Debian's README.policy-rc.d); 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const FORBID: &str = "#!/bin/sh\nexit 101\n";

/// For as long as it is kept, no package starts a service. A policy that is there already stays in force.
#[derive(Debug)]
struct NoServices {
    made: Option<PathBuf>,
}

impl NoServices {
    fn new(policy: &Path) -> Result<Self> {
        if policy.exists() {
            return Ok(Self { made: None });
        }
        let failed = || format!("cannot write {}", policy.display());
        fs::write(policy, FORBID).with_context(failed)?;
        let made = Self { made: Some(policy.to_owned()) };
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755)).with_context(failed)?;
        Ok(made)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        let removed = self.made.take().map_or(Ok(()), fs::remove_file);
        if let Err(error) = removed {
            println!("{POLICY} stays, and keeps services from starting: {error}");
        }
    }
}

/// Whether this process is root on a machine that has apt-get.
pub(super) fn may_install() -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0);
    root && has_program("apt-get")
}

/// Fetches the lists of packages.
pub(super) fn update() -> Result<()> {
    apt_get(&["update"], &[], None)
}

/// Installs packages, all of them from `suite` when one is given. None of their services is started.
pub(super) fn install(names: &[&str], suite: Option<&str>) -> Result<()> {
    let _guard = NoServices::new(Path::new(POLICY))?;
    apt_get(&["install", "-y", "--no-install-recommends"], names, suite)
}

/// The command a person would type for [`install`].
pub(super) fn install_line(names: &[&str], suite: Option<&str>) -> String {
    let suite = suite.map(|it| format!("-t {it} ")).unwrap_or_default();
    format!("apt-get install -y --no-install-recommends {suite}{}", names.join(" "))
}

/// `CODENAME-backports` when the installed package came from there, as its version shows.
pub(super) fn backports_suite_of(package: &str) -> Option<String> {
    let query = Command::new("dpkg-query")
        .args(["-W", "-f=${db:Status-Abbrev} ${Version}", package])
        .output()
        .ok()?;
    let version = String::from_utf8_lossy(&query.stdout).strip_prefix("ii ")?.trim().to_owned();
    let release = fs::read_to_string("/etc/os-release").ok()?;
    suites::backports_suite(&version, &release)
}

/// Adds the suite to apt's sources, from the mirror this machine already uses, unless it is there.
pub(super) fn add_suite(suite: &str) -> Result<()> {
    let files = source_files()?;
    let texts: Vec<(PathBuf, String)> = files
        .into_iter()
        .map(|path| {
            fs::read_to_string(&path)
                .map(|it| (path.clone(), it))
                .with_context(|| format!("cannot read {}", path.display()))
        })
        .collect::<Result<_>>()?;
    let all: Vec<suites::Entry> = texts.iter().flat_map(|(path, text)| suites::entries(path, text)).collect();
    let Some(text) = suites::addition(&all, suite)? else { return Ok(()) };
    let path = Path::new(SOURCES).join("sources.list.d").join(format!("{suite}.sources"));
    if path.exists() {
        bail!("{} exists and does not offer {suite}: enable the suite there", path.display());
    }
    println!("adding {}", path.display());
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The files apt reads its sources from.
fn source_files() -> Result<Vec<PathBuf>> {
    let mut found = vec![Path::new(SOURCES).join("sources.list")];
    let folder = Path::new(SOURCES).join("sources.list.d");
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        found.push(entry?.path());
    }
    found.retain(|it| it.is_file() && it.extension().is_some_and(|it| it == "list" || it == "sources"));
    found.sort();
    Ok(found)
}

/// Runs apt-get: it asks nothing, waits for a lock another apt holds, and gives up on a dead mirror.
fn apt_get(args: &[&str], names: &[&str], suite: Option<&str>) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args([
        "-q",
        "-o",
        "DPkg::Lock::Timeout=300",
        "-o",
        "Acquire::http::Timeout=30",
        "-o",
        "Acquire::Retries=2",
    ]);
    command.args(args);
    if let Some(suite) = suite {
        command.args(["-t", suite]);
    }
    succeed(command.args(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_forbidden_while_packages_are_installed() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy-rc.d");
        let guard = NoServices::new(&policy).unwrap();
        let asked = Command::new(&policy).args(["snmpd", "start"]).status().unwrap();
        assert_eq!(asked.code(), Some(101));
        drop(guard);
        assert!(!policy.exists());
    }

    #[test]
    fn a_policy_that_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy-rc.d");
        fs::write(&policy, "mine").unwrap();
        drop(NoServices::new(&policy).unwrap());
        assert_eq!(fs::read_to_string(&policy).unwrap(), "mine");
    }
}
