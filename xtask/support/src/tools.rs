//! Programs of others that crates bring, below `target/tools` where the machine has none of its own.

use crate::programs::succeed;
use crate::workspace::cargo;
use anyhow::{Context, Result};
use std::env;
use std::path::Path;
use std::process::Command;

/// Where this tree keeps tools of its own, below the root.
const OWN: &str = "target/tools";

/// A program that a crate brings.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// What it is called by: `deny` for the crate `cargo-deny`.
    name: &'static str,
    start: Start,
    /// The release line this tree is made for, as cargo writes requirements.
    version: &'static str,
    /// Left out when it is built: `--no-default-features`.
    has_default_features: bool,
    /// The profile it is built with. What runs for a second is sooner there when it is not optimised.
    profile: &'static str,
}

/// How it is started.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// As `cargo NAME`; the crate is `cargo-NAME`.
    ByCargo,
    /// As `NAME`, as the crate is called.
    Alone,
}

/// Checks licences, sources and advisories.
pub const DENY: Tool = Tool {
    name: "deny",
    start: Start::ByCargo,
    version: "^0.20",
    has_default_features: false,
    profile: "dev",
};
/// Finds dependencies that are not used.
pub const MACHETE: Tool = Tool {
    name: "machete",
    start: Start::ByCargo,
    version: "^0.9",
    has_default_features: true,
    profile: "dev",
};
/// Makes Debian packages.
pub const DEB: Tool = Tool {
    name: "deb",
    start: Start::ByCargo,
    version: "^3",
    has_default_features: false,
    profile: "release",
};
/// Writes what a program is made of, in `CycloneDX`.
pub const CYCLONEDX: Tool = Tool {
    name: "cyclonedx",
    start: Start::ByCargo,
    version: "^0.5",
    has_default_features: true,
    profile: "dev",
};
/// Makes the manual a book.
pub const MDBOOK: Tool = Tool {
    name: "mdbook",
    start: Start::Alone,
    version: "^0.5",
    has_default_features: false,
    profile: "dev",
};

impl Tool {
    /// Whether it is there.
    pub fn is_there(self, root: &Path) -> bool {
        self.command(root)
            .is_ok_and(|mut it| it.arg("--version").output().is_ok_and(|it| it.status.success()))
    }

    /// Builds it below `target/tools`, unless it is there.
    ///
    /// # Errors
    /// When it does not build.
    pub fn ensure(self, root: &Path) -> Result<()> {
        if self.is_there(root) {
            return Ok(());
        }
        let mut install = cargo();
        install.args(["install", "--locked", "--version", self.version, "--profile", self.profile]);
        install.args(["--root", OWN, &self.crate_name()]);
        if !self.has_default_features {
            install.arg("--no-default-features");
        }
        succeed(install.current_dir(root)).with_context(|| format!("cannot bring {}", self.crate_name()))
    }

    /// The program, to be run in the root of the workspace.
    ///
    /// # Errors
    /// When the search path cannot be set for a program.
    pub fn command(self, root: &Path) -> Result<Command> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = env::split_paths(&path).chain([root.join(OWN).join("bin")]);
        let path = env::join_paths(folders).context("the search path has a folder that no path can name")?;
        let mut command = match self.start {
            Start::ByCargo => {
                let mut command = cargo();
                command.arg(self.name);
                command
            }
            // It is looked for in the search path that it gets itself.
            Start::Alone => Command::new(self.name),
        };
        command.env("PATH", path).current_dir(root);
        Ok(command)
    }

    /// The crate that brings it.
    pub fn crate_name(self) -> String {
        match self.start {
            Start::ByCargo => format!("cargo-{}", self.name),
            Start::Alone => self.name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(start: Start) {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let made_up =
            Tool { name: "made-up-tool", start, version: "^1", has_default_features: true, profile: "dev" };
        assert!(!made_up.is_there(root.path()));
        let bin = root.path().join(OWN).join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        let program = bin.join(made_up.crate_name());
        std::fs::write(&program, "#!/bin/sh\nexit 0\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(made_up.is_there(root.path()));
        made_up.ensure(root.path()).unwrap();
    }

    #[test]
    fn a_tool_of_our_own_is_found() {
        check(Start::ByCargo);
        check(Start::Alone);
    }
}
