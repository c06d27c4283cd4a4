//! Boot files in the TFTP folder, gone again at the end, also when a job is stopped while they are being copied.
//!
//! Boards that share a TFTP folder have boot files of the same names: those of a job lie in a folder of its own, which the job locks.
//! A folder that is not locked was left behind by a job that was killed, and goes with the next one.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bundle_store::Files;
use bytes::Bytes;
use flasher_core::{Class, Error, Result, RootCause};
use rustix::fs::{FlockOperation, flock};

use crate::blocking::blocking;

/// What the folders of jobs are called, before the job's own part.
const FOLDER: &str = "flasher-job-";
/// How often a folder is made that others take for one left behind, in the moment before it is locked.
const TRIES: u32 = 20;

/// The staged files of one attempt. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Staging(Arc<Mutex<Staged>>);

/// Locked while files are copied, so that a clean-up waits for the copying to end.
#[derive(Default)]
struct Staged {
    files: Vec<PathBuf>,
    /// The job's own folder, and the lock on it.
    own: Option<(PathBuf, File)>,
    /// Set by clearing: a copying that has not begun by then must not begin.
    cleared: bool,
}

impl Staging {
    /// Copies the boot files into the TFTP folder itself, each in one move, for clients that load them from there.
    pub(crate) async fn fill(&self, files: &Files, root: PathBuf) -> Result<Vec<PathBuf>> {
        let (staging, all) = (self.clone(), sources(files));
        blocking(move || {
            let mut staged = staging.lock();
            fs::create_dir_all(&root).map_err(|error| unwritable(&root, error))?;
            staged.copy(&root, &all)
        })
        .await
    }

    /// Makes a folder of the TFTP folder that is the job's own, and copies the boot files into it, where there are any: `job`
    /// makes its name, see [`folder`].
    pub(crate) async fn fill_for(&self, job: &str, files: Option<&Files>, root: PathBuf) -> Result<()> {
        let (staging, all, name) = (self.clone(), files.map(sources).unwrap_or_default(), folder(job));
        blocking(move || staging.fill_own(&root, &name, &all)).await
    }

    /// Puts a file into the job's own folder; gives the CRC-32 of its bytes.
    ///
    /// # Errors
    /// When it cannot be written, or the job has no folder, which would be a bug.
    pub(crate) async fn put(&self, name: &str, content: Bytes) -> Result<u32> {
        let (staging, name) = (self.clone(), name.to_owned());
        blocking(move || staging.lock().put(&name, &content)).await
    }

    /// Removes a file that was [put](Self::put).
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) async fn take_away(&self, name: &str) -> Result<()> {
        let (staging, name) = (self.clone(), name.to_owned());
        blocking(move || staging.lock().take_away(&name)).await
    }

    /// Removes what was staged; what could not be removed is reported, a line each.
    pub(crate) async fn clear(&self) -> Vec<String> {
        let staging = self.clone();
        let removing = blocking(move || Ok(staging.remove())).await;
        removing.unwrap_or_else(|error| vec![error.to_string()])
    }

    fn fill_own(&self, root: &Path, name: &str, all: &[(PathBuf, String)]) -> Result<()> {
        let mut staged = self.lock();
        if staged.cleared {
            return Err(Error::new(Class::Interrupted, "stopped before the boot files were staged"));
        }
        fs::create_dir_all(root).map_err(|error| unwritable(root, error))?;
        sweep(root);
        let own = root.join(name);
        let lock = make_own(&own).map_err(|error| unwritable(&own, error))?;
        staged.own = Some((own.clone(), lock));
        staged.copy(&own, all).map(drop)
    }

    fn remove(&self) -> Vec<String> {
        let mut staged = self.lock();
        staged.cleared = true;
        let files = std::mem::take(&mut staged.files);
        let removed = files.iter().map(|file| (file, fs::remove_file(file)));
        let mut left: Vec<String> =
            removed.filter_map(|(file, removed)| Some(kept(file, &removed.err()?))).collect();
        if let Some((own, _lock)) = staged.own.take() {
            left.extend(fs::remove_dir(&own).err().map(|error| kept(&own, &error)));
        }
        left
    }

    fn lock(&self) -> MutexGuard<'_, Staged> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Staged {
    fn put(&mut self, name: &str, content: &[u8]) -> Result<u32> {
        let path = self.path(name)?;
        self.files.push(path.clone());
        fs::write(&path, content).map_err(|error| unwritable(&path, error))?;
        let mut crc = flate2::Crc::new();
        crc.update(content);
        Ok(crc.sum())
    }

    fn take_away(&mut self, name: &str) -> Result<()> {
        let path = self.path(name)?;
        self.files.retain(|file| *file != path);
        fs::remove_file(&path).map_err(|error| Error::infrastructure(kept(&path, &error)))
    }

    fn path(&self, name: &str) -> Result<PathBuf> {
        let own =
            self.own.as_ref().ok_or_else(|| Error::new(Class::Internal, "the job has no TFTP folder"))?;
        Ok(own.0.join(name))
    }

    fn copy(&mut self, folder: &Path, all: &[(PathBuf, String)]) -> Result<Vec<PathBuf>> {
        for (from, name) in all {
            let to = folder.join(name);
            copy(from, &to)?;
            self.files.push(to);
        }
        Ok(self.files.clone())
    }
}

/// Name of the folder of `job`, below the TFTP folder.
pub(crate) fn folder(job: &str) -> String {
    format!("{FOLDER}{}", job.get(..12).unwrap_or(job))
}

/// Each boot file and the name it is served under.
fn sources(files: &Files) -> Vec<(PathBuf, String)> {
    let all = [Some(&files.kernel), files.initram.as_ref(), files.dtb.as_ref()];
    all.into_iter().flatten().map(|file| (file.path.clone(), file.name.clone())).collect()
}

/// Makes the folder and locks it. Blocks while a sweep that found it unlocked removes it; then it is made again.
fn make_own(own: &Path) -> io::Result<File> {
    for _ in 0..TRIES {
        fs::create_dir(own)?;
        let lock = match File::open(own) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        flock(&lock, FlockOperation::LockExclusive)?;
        if is_at(&lock, own) {
            return Ok(lock);
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Removes the folders of jobs that were killed. What cannot be removed belongs to another user, and is none of ours.
fn sweep(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_folder || !entry.file_name().to_string_lossy().starts_with(FOLDER) {
            continue;
        }
        let path = entry.path();
        let Ok(lock) = File::open(&path) else { continue };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
            && is_at(&lock, &path)
            && let Err(error) = fs::remove_dir_all(&path)
        {
            tracing::debug!(folder = %path.display(), %error, "boot files of a job that was killed stay");
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

fn kept(file: &Path, error: &std::io::Error) -> String {
    format!("cannot remove the staged file `{}`: {error}", file.display())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let temporary = to.with_file_name(format!(".{name}.{}", std::process::id()));
    let copied = std::fs::copy(from, &temporary).and_then(|_| std::fs::rename(&temporary, to));
    copied.map_err(|error| {
        // It may not exist, and the first error tells more.
        let _ = std::fs::remove_file(&temporary);
        unwritable(to, error)
    })
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    let is_full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
    let failed =
        Error::infrastructure(format!("cannot put boot files into the TFTP folder: `{}`", path.display()))
            .because(error)
            .help("set `tftp_dir` (or the tftp child's `root_dir`) to a folder that this user may write")
            .retryable(false);
    if is_full { failed.caused_by(RootCause::DiskFull) } else { failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a kernel to stage, and the folder it goes to.
    fn folders() -> (tempfile::TempDir, Vec<(PathBuf, String)>, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (kernel, root) = (folder.path().join("Image"), folder.path().join("tftp"));
        fs::write(&kernel, "kernel").unwrap();
        (folder, vec![(kernel, "Image".to_owned())], root)
    }

    fn names(root: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(root).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn two_jobs_share_a_folder() {
        let (folder, all, root) = folders();
        let (one, other) = (Staging::default(), Staging::default());
        one.fill_own(&root, "flasher-job-1", &all).unwrap();
        fs::write(folder.path().join("Image"), "another kernel").unwrap();
        fs::write(root.join("Image"), "of somebody else").unwrap();
        other.fill_own(&root, "flasher-job-2", &all).unwrap();
        assert_eq!(names(&root), ["Image", "flasher-job-1", "flasher-job-2"]);
        assert_eq!(other.remove(), [""; 0]);
        assert_eq!(fs::read(root.join("flasher-job-1/Image")).unwrap(), b"kernel");
        assert_eq!(one.remove(), [""; 0]);
        assert_eq!(names(&root), ["Image"]);
    }

    #[test]
    fn what_a_killed_job_left_goes_with_the_next_one() {
        let (_folder, all, root) = folders();
        fs::create_dir_all(root.join("flasher-job-dead")).unwrap();
        fs::write(root.join("flasher-job-dead/Image"), "old").unwrap();
        fs::create_dir_all(root.join("flasher-jobs")).unwrap();
        std::os::unix::fs::symlink(root.join("flasher-jobs"), root.join("flasher-job-link")).unwrap();
        let staging = Staging::default();
        staging.fill_own(&root, "flasher-job-1", &all).unwrap();
        assert_eq!(names(&root), ["flasher-job-1", "flasher-job-link", "flasher-jobs"]);
        staging.remove();
    }

    #[test]
    fn many_jobs_that_begin_at_once_all_have_their_files() {
        let (_folder, all, root) = folders();
        let begin = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for job in 0..8 {
                let (begin, all, root) = (&begin, &all, &root);
                scope.spawn(move || {
                    begin.wait();
                    for round in 0..20 {
                        let staging = Staging::default();
                        let name = format!("flasher-job-{job}-{round}");
                        staging.fill_own(root, &name, all).unwrap();
                        assert_eq!(fs::read(root.join(name).join("Image")).unwrap(), b"kernel");
                        assert_eq!(staging.remove(), [""; 0]);
                    }
                });
            }
        });
        assert_eq!(names(&root), [""; 0]);
    }

    #[test]
    fn a_job_stopped_before_its_files_were_copied_leaves_none() {
        let (_folder, all, root) = folders();
        let staging = Staging::default();
        staging.remove();
        let error = staging.fill_own(&root, "flasher-job-1", &all).unwrap_err();
        assert_eq!(error.to_string(), "stopped before the boot files were staged");
        assert!(!root.exists());
    }

    #[test]
    fn files_copied_before_one_that_fails_are_removed_too() {
        let (folder, mut all, root) = folders();
        all.push((folder.path().join("absent"), "absent".to_owned()));
        let staging = Staging::default();
        staging.fill_own(&root, "flasher-job-1", &all).unwrap_err();
        staging.remove();
        assert_eq!(names(&root), [""; 0]);
    }
}
