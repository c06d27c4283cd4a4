//! What a flash needs of the machine itself: room for temporary files and for decoded images, and a clock that is right.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flasher_core::{Error, Result, clock};

use crate::render::units::{bytes, shown};

/// Free bytes below which a folder is too full for what a flash keeps there.
const ENOUGH: u64 = 256 << 20;
/// How far a clock may be behind the time this program was built at; file systems round.
const SLACK: Duration = Duration::from_secs(24 * 3600);

/// Every finding with its subject.
pub(super) fn look() -> Vec<(String, Result<String>)> {
    let temp = std::env::temp_dir();
    let mut found = vec![(shown(&temp), room(&temp, "temporary files", "TMPDIR"))];
    if let Some(cache) = cache() {
        found.push((shown(&cache), room(existing(&cache), "decoded images", "XDG_CACHE_HOME")));
    }
    found.push(("clock".to_owned(), plausible(SystemTime::now(), built())));
    found
}

/// Where decoded images are kept (XDG Base Directory).
fn cache() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|it| it.is_absolute()).or_else(home)
}

/// The nearest folder that is there: the rest is made when it is needed.
fn existing(folder: &Path) -> &Path {
    folder.ancestors().find(|it| it.is_dir()).unwrap_or(Path::new("/"))
}

fn room(folder: &Path, purpose: &str, variable: &str) -> Result<String> {
    let elsewhere = format!("make room, or set {variable} to a folder with more");
    let facts = rustix::fs::statvfs(folder).map_err(|error| {
        Error::infrastructure(format!("the folder for {purpose} cannot be looked at"))
            .help(format!("set {variable} to a folder you may write"))
            .because(error)
    })?;
    if rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_err() {
        return Err(Error::infrastructure(format!("the folder for {purpose} cannot be written"))
            .help(format!("set {variable} to a folder you may write")));
    }
    let free = facts.f_bavail.saturating_mul(facts.f_frsize);
    if free < ENOUGH {
        let message = format!("only {} free for {purpose}, expected {}", bytes(free), bytes(ENOUGH));
        return Err(Error::infrastructure(message).help(elsewhere));
    }
    Ok(format!("{} free for {purpose}", bytes(free)))
}

/// When this program was built; nothing can be earlier.
fn built() -> Option<SystemTime> {
    std::env::current_exe().and_then(std::fs::metadata).and_then(|it| it.modified()).ok()
}

/// A clock that stands in the past makes every certificate invalid.
fn plausible(now: SystemTime, built: Option<SystemTime>) -> Result<String> {
    let shown = clock::seconds(now);
    match built {
        Some(built) if built.duration_since(now).is_ok_and(|behind| behind > SLACK) => {
            Err(Error::infrastructure(format!("it says {shown}, which is before this program was built"))
                .help(
                    "set it: `timedatectl set-ntp true`; wrong clocks make https sources and registries fail",
                ))
        }
        _ => Ok(format!("{shown}, plausible")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stands_in_the_past_is_told() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let error = plausible(at(86_400), Some(at(1_795_000_000))).unwrap_err();
        assert_eq!(error.to_string(), "it says 1970-01-02T00:00:00Z, which is before this program was built");
        assert!(error.next_step().is_some_and(|help| help.contains("timedatectl")));
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        let error = plausible(before, Some(at(1_795_000_000))).unwrap_err();
        assert_eq!(error.to_string(), "it says 1969-12-31T23:59:59Z, which is before this program was built");
        assert!(plausible(at(1_795_000_000), Some(at(1_795_000_500))).is_ok());
        assert!(plausible(at(1_795_000_000), None).is_ok());
    }

    #[test]
    fn missing_folders_are_checked_by_parent() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b/c")), folder.path());
        assert!(room(Path::new("/proc"), "decoded images", "XDG_CACHE_HOME").is_err());
    }
}
