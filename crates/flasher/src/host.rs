//! What this machine has: programs and files, and the Debian packages that bring them.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flasher_core::{Error, Result};

/// Something a command needs of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    /// A program by its name, or a file by its path.
    pub(crate) name: &'static str,
    /// The Debian package that has it.
    pub(crate) package: &'static str,
}

/// Runs a command in namespaces of its own.
pub(crate) const UNSHARE: Need = Need { name: "unshare", package: "util-linux" };
/// Has the kernel end a command together with the one who started it.
pub(crate) const SETPRIV: Need = Need { name: "setpriv", package: "util-linux" };
/// Sets network interfaces up.
pub(crate) const IP: Need = Need { name: "ip", package: "iproute2" };

/// Fails unless everything is there; names all that is missing at once, and how to install it.
///
/// # Errors
/// When something is missing.
pub(crate) fn require(what_for: &str, needs: &[Need]) -> Result<()> {
    let missing = needs.iter().filter(|need| find(need.name).is_none()).collect::<Vec<_>>();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.iter().map(|need| format!("`{}`", need.name)).collect::<Vec<_>>().join(", ");
    let packages = missing.iter().map(|need| need.package).collect::<BTreeSet<_>>();
    let packages = packages.into_iter().collect::<Vec<_>>().join(" ");
    Err(Error::infrastructure(format!("{what_for} needs {names}, not found on this machine"))
        .help(format!("on Debian: `apt-get install --no-install-recommends {packages}`"))
        .retryable(false))
}

/// Where it is: a path itself, a name in PATH or in the folders of the administrator, which users have not in PATH.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_named_at_once_with_its_packages() {
        let away = |name, package| Need { name, package };
        let needs =
            [UNSHARE, away("no-such-program", "one"), away("/no/such/file", "two"), away("nor-this", "one")];
        let error = require("the emulated board", &needs).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the emulated board needs `no-such-program`, `/no/such/file`, `nor-this`, not found on this machine"
        );
        assert_eq!(error.next_step(), Some("on Debian: `apt-get install --no-install-recommends one two`"));
        assert_eq!(error.class().exit_code(), 4);
    }

    #[test]
    fn what_is_there_is_found() {
        assert!(require("a test", &[Need { name: "sh", package: "dash" }]).is_ok());
        assert_eq!(find("/bin/sh"), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find("/bin"), None);
    }
}
