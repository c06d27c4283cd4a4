//! Makes room: copies that were not used for longest go first, and what dead processes left goes at once.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

use super::meta::Meta;

/// How names of what is not complete begin. Nothing under such a name is ever read.
pub(super) const TEMPORARY: &str = "tmp-";

struct Copy {
    path: PathBuf,
    used: SystemTime,
    size: u64,
}

/// Bytes of disk that a file takes: holes take none.
pub(super) fn disk_use(data: &Metadata) -> u64 {
    data.blocks() * 512
}

/// Removes copies until `more` bytes fit into `limit`, and descriptions that have lost their copy. The folder is locked.
pub(super) fn make_room(folder: &Path, limit: u64, more: u64) -> io::Result<()> {
    let mut copies = copies(folder)?;
    copies.sort_by_key(|copy| copy.used);
    let mut total: u64 = copies.iter().map(|copy| copy.size).sum::<u64>() + more;
    let mut evicted = false;
    for copy in copies {
        if total <= limit {
            break;
        }
        std::fs::remove_file(&copy.path)?;
        total -= copy.size;
        evicted = true;
    }
    if evicted { forget_lost(folder) } else { Ok(()) }
}

/// Removes temporary files whose processes are gone: their locks are free.
pub(super) fn abandoned(folder: &Path) -> io::Result<()> {
    for path in files(folder)? {
        if !name(&path).starts_with(TEMPORARY) {
            continue;
        }
        let dead = File::open(&path).is_ok_and(|file| {
            let old = file.metadata().is_ok_and(|data| is_old(&data));
            old && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        });
        if dead {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Whether it is certain that its process had the time to lock it.
fn is_old(data: &Metadata) -> bool {
    data.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age.as_secs() >= 10)
}

fn copies(folder: &Path) -> io::Result<Vec<Copy>> {
    let mut copies = Vec::new();
    for path in files(folder)? {
        if path.extension().is_some_and(|end| end == "img") {
            let data = path.metadata()?;
            copies.push(Copy { used: data.modified()?, size: disk_use(&data), path });
        }
    }
    Ok(copies)
}

fn forget_lost(folder: &Path) -> io::Result<()> {
    let kept: HashSet<String> = copies(folder)?.iter().map(|copy| name(&copy.path)).collect();
    for path in files(folder)? {
        let is_meta = path.extension().is_some_and(|end| end == "json");
        let lost = |meta: Meta| !kept.contains(&format!("{}.img", meta.decoded_sha256));
        if is_meta && Meta::load(&path).is_none_or(lost) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Another process may have been faster.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
