//! The step that looks whether the disk has room for what the run builds: a full disk shows late, and as the failure of something else.

use super::step::Outcome;
use anyhow::{Context, Result, bail};
use std::env;
use std::path::{Path, PathBuf};

const GIB: f64 = (1 << 30) as f64;
/// What `target` and temporary files come to in a run that starts with nothing built, bytes.
const NEEDED: u64 = 8 << 30;
/// What a run needs that has all built, bytes.
const NEEDED_AGAIN: u64 = 2 << 30;

/// Says how much is free; an error where that is too little.
pub(super) fn check(root: &Path) -> Result<Outcome> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let is_built = target.join("debug/deps").is_dir();
    // Cargo makes the folder; until then its parent is on the same disk.
    let folder = if target.is_dir() { target.as_path() } else { root };
    let facts = rustix::fs::statvfs(folder)
        .with_context(|| format!("cannot ask what `{}` has free", folder.display()))?;
    judge(facts.f_bavail.saturating_mul(facts.f_frsize), is_built, folder)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
fn judge(free: u64, is_built: bool, folder: &Path) -> Result<Outcome> {
    let needed = if is_built { NEEDED_AGAIN } else { NEEDED };
    let [free_gib, needed_gib] = [free, needed].map(|bytes| bytes as f64 / GIB);
    if free < needed {
        bail!(
            "the disk of `{}` has {free_gib:.1} GiB free, and this run needs about {needed_gib:.0}: free some, or set CARGO_TARGET_DIR to a folder on another disk",
            folder.display()
        );
    }
    Ok(Outcome::Note(format!("{free_gib:.1} GiB free")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(free: u64, is_built: bool, expected: &str) {
        let outcome = judge(free << 30, is_built, Path::new("/build/target"));
        let said = outcome.map_or_else(
            |error| error.to_string(),
            |outcome| match outcome {
                Outcome::Note(text) => text,
                other => format!("{other:?}"),
            },
        );
        assert_eq!(said, expected);
    }

    #[test]
    fn a_run_that_would_fill_the_disk_does_not_begin() {
        check(40, false, "40.0 GiB free");
        check(4, true, "4.0 GiB free");
        check(
            7,
            false,
            "the disk of `/build/target` has 7.0 GiB free, and this run needs about 8: free some, or set CARGO_TARGET_DIR to a folder on another disk",
        );
        check(
            1,
            true,
            "the disk of `/build/target` has 1.0 GiB free, and this run needs about 2: free some, or set CARGO_TARGET_DIR to a folder on another disk",
        );
    }
}
