//! The tools of the host that the guest may use: an explicit list, nothing else.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::SimError;

/// What the guest gets when the host has it. None of these can change more than the files its user may write.
pub(crate) const ALLOWED: &[&str] = &[
    "awk",
    "base64",
    "basename",
    "bash",
    "bunzip2",
    "bzcat",
    "bzip2",
    "cat",
    "chmod",
    "cksum",
    "cmp",
    "comm",
    "cp",
    "curl",
    "cut",
    "diff",
    "dirname",
    "du",
    "env",
    "expr",
    "false",
    "find",
    "fold",
    "grep",
    "gunzip",
    "gzip",
    "head",
    "hexdump",
    "id",
    "ln",
    "ls",
    "lz4",
    "lz4cat",
    "md5sum",
    "mkdir",
    "mkfifo",
    "mktemp",
    "mv",
    "nproc",
    "od",
    "paste",
    "printf",
    "ps",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "setsid",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "sleep",
    "sort",
    "split",
    "stat",
    "stty",
    "sum",
    "sync",
    "tail",
    "tar",
    "tee",
    "time",
    "timeout",
    "touch",
    "tr",
    "true",
    "truncate",
    "tty",
    "uname",
    "uniq",
    "unxz",
    "unzstd",
    "wc",
    "wget",
    "which",
    "xargs",
    "xxd",
    "xz",
    "xzcat",
    "yes",
    "zcat",
    "zstd",
    "zstdcat",
];

/// Where the host has `name`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| {
            path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
}

/// The shell of the guest in `root`: the one of its own, or a plain one of the host.
pub(crate) fn shell(root: &Path) -> Option<PathBuf> {
    let own = Some(root.join(OWN_SHELL)).filter(|path| path.exists());
    own.or_else(|| ["dash", "sh"].iter().find_map(|name| find(name)))
}

/// Where a guest keeps a shell of its own. Called `sh`, bash behaves as POSIX wants it.
pub(crate) const OWN_SHELL: &str = "sh";

/// Whether a shell is bash.
pub(crate) fn is_bash(shell: &Path) -> bool {
    shell.canonicalize().is_ok_and(|path| path.ends_with("bash"))
}

/// Refuses a host without the tools a flash needs.
pub(crate) fn missing() -> Result<(), SimError> {
    let mut missing: Vec<&'static str> =
        ["sh", "dd", "sha256sum"].into_iter().filter(|name| find(name).is_none()).collect();
    if find("wget").is_none() && find("curl").is_none() {
        missing.push("wget (or curl)");
    }
    if missing.is_empty() { Ok(()) } else { Err(SimError::Tools(missing)) }
}
