//! Takes out of the cache what is no longer needed: superseded bundles, stale ones on demand, leftovers of killed processes.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    index::{Use, read_index},
    layout::{Layout, blocking},
    lock::{self, Mode},
};
use crate::{Digest, OciError, json_file};

/// How long `gc` waits for processes that pull.
const PATIENCE: Duration = Duration::from_secs(10);

/// What `gc` removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// Bundles.
    pub bundles: Vec<String>,
    /// Files, of bundles and leftovers.
    pub files: usize,
    /// Bytes that are free again.
    pub bytes: u64,
    /// Bundles that are no longer needed, but in use by a process.
    pub in_use: usize,
}

impl Layout {
    /// Sweeps once no process pulls any more.
    pub(super) async fn gc(&self, unused_for: Option<Duration>, dry: bool) -> Result<Freed, OciError> {
        let alone = self.folder("locks")?.join("store");
        let _alone = lock::take(&alone, Mode::Exclusive, PATIENCE).await?;
        let layout = self.clone();
        blocking(move || layout.sweep(unused_for, dry)).await
    }

    fn sweep(&self, unused_for: Option<Duration>, dry: bool) -> Result<Freed, OciError> {
        let mut freed = Freed::default();
        let needed = self.forget(unused_for, dry)?;
        let mut blobs = BTreeSet::new();
        for record in
            list(&self.dir().join("trees"))?.iter().filter(|it| it.extension().is_some_and(|it| it == "json"))
        {
            let name = record.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let keep = needed.contains(&name) || self.is_used(&name)?;
            if keep {
                freed.in_use += usize::from(!needed.contains(&name));
                blobs.extend(read_index(record).into_iter().flat_map(|index| index.blobs));
                continue;
            }
            freed.bundles.push(name.clone());
            if let (false, Ok(digest)) = (dry, name.parse::<Digest>()) {
                self.remove_tree(digest)?;
            }
        }
        for blob in list(&self.dir().join("blobs/sha256"))? {
            let name = blob.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !blobs.contains(&name) {
                freed.remove(&blob, dry)?;
            }
        }
        for leftover in list(&self.dir().join("tmp"))? {
            freed.remove(&leftover, dry)?;
        }
        if !dry {
            self.unlink()?;
            self.drop_locks()?;
        }
        Ok(freed)
    }

    /// The bundles that names stand for; names that are stale are forgotten.
    fn forget(&self, unused_for: Option<Duration>, dry: bool) -> Result<BTreeSet<String>, OciError> {
        let mut needed = BTreeSet::new();
        for path in list(&self.dir().join("refs"))? {
            let age = fs::metadata(&path).and_then(|about| about.modified());
            let age =
                age.ok().and_then(|used| SystemTime::now().duration_since(used).ok()).unwrap_or_default();
            let known = json_file::read::<Use>(&path);
            let stale = unused_for.is_some_and(|limit| age >= limit);
            match known {
                Some(known) if !stale => drop(needed.insert(known.digest)),
                _ if dry => {}
                _ => fs::remove_file(&path).map_err(OciError::storage("remove", &path))?,
            }
        }
        Ok(needed)
    }

    fn is_used(&self, digest: &str) -> Result<bool, OciError> {
        let lock = self.dir().join("locks").join(format!("used-{digest}"));
        Ok(lock.exists() && lock::try_take(&lock, Mode::Exclusive)?.is_none())
    }

    /// Removes the lock files of pulls: while `gc` is alone, no process pulls. Those of users stay.
    fn drop_locks(&self) -> Result<(), OciError> {
        for path in list(&self.dir().join("locks"))? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("blob-") || name.starts_with("tree-") {
                fs::remove_file(&path).map_err(OciError::storage("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Removes links to bundles that are gone.
    fn unlink(&self) -> Result<(), OciError> {
        for path in list(self.dir())? {
            let dangles = path.is_symlink() && !path.exists();
            if dangles && fs::read_link(&path).is_ok_and(|to| to.starts_with("trees")) {
                fs::remove_file(&path).map_err(OciError::storage("remove", &path))?;
            }
        }
        Ok(())
    }
}

impl Freed {
    fn remove(&mut self, path: &Path, dry: bool) -> Result<(), OciError> {
        self.bytes +=
            fs::symlink_metadata(path).map_or(0, |about| if about.is_file() { about.len() } else { 0 });
        self.files += 1;
        if dry {
            return Ok(());
        }
        let removed = if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
        removed.map_err(OciError::storage("remove", path))
    }
}

/// What is in a folder; nothing when there is no folder.
fn list(folder: &Path) -> Result<Vec<PathBuf>, OciError> {
    match folder.read_dir() {
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => {
            let entries = entries.map_err(OciError::storage("list", folder))?;
            let mut paths = entries
                .map(|entry| Ok(entry.map_err(OciError::storage("list", folder))?.path()))
                .collect::<Result<Vec<_>, OciError>>()?;
            paths.sort();
            Ok(paths)
        }
    }
}
