//! Boot files in the TFTP folder, gone again at the end, also when a job is stopped while they are being copied.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bundle_store::Files;
use flasher_core::{Class, Error, Result};

use crate::flasher::blocking;

/// The staged files of one attempt. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Staging(Arc<Mutex<Staged>>);

/// Locked while files are copied, so that whoever clears waits for the copying to end.
#[derive(Default)]
struct Staged {
    files: Vec<PathBuf>,
    /// Set by clearing: a copying that has not begun by then must not begin.
    cleared: bool,
}

impl Staging {
    /// Copies the boot files into the TFTP folder under their base names, each in one move.
    pub(crate) async fn fill(&self, files: &Files, root: PathBuf) -> Result<Vec<PathBuf>> {
        let all: Vec<_> = [Some(&files.kernel), files.initram.as_ref(), files.dtb.as_ref()]
            .into_iter()
            .flatten()
            .map(|file| (file.path.clone(), root.join(&file.name)))
            .collect();
        let staging = self.clone();
        blocking(move || staging.copy(&root, all)).await
    }

    /// Removes what was staged; what could not be removed is told, a line each.
    pub(crate) async fn clear(&self) -> Vec<String> {
        let staging = self.clone();
        let removing = blocking(move || Ok(staging.remove())).await;
        removing.unwrap_or_else(|error| vec![error.to_string()])
    }

    fn copy(&self, root: &Path, all: Vec<(PathBuf, PathBuf)>) -> Result<Vec<PathBuf>> {
        let mut staged = self.lock();
        if staged.cleared {
            return Err(Error::new(Class::Interrupted, "stopped before the boot files were staged"));
        }
        std::fs::create_dir_all(root).map_err(|error| unwritable(root, error))?;
        for (from, to) in all {
            copy(&from, &to)?;
            staged.files.push(to);
        }
        Ok(staged.files.clone())
    }

    fn remove(&self) -> Vec<String> {
        let mut staged = self.lock();
        staged.cleared = true;
        let files = std::mem::take(&mut staged.files);
        files
            .iter()
            .filter_map(|file| std::fs::remove_file(file).err().map(|error| kept(file, &error)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Staged> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    Error::infrastructure(format!("cannot put boot files into the TFTP folder: `{}`", path.display()))
        .because(error)
        .help("set `tftp_dir` (or the tftp child's `root_dir`) to a folder that this user may write")
        .retryable(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a kernel to stage, and the folder it goes to.
    fn folders() -> (tempfile::TempDir, Vec<(PathBuf, PathBuf)>, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (kernel, root) = (folder.path().join("Image"), folder.path().join("tftp"));
        std::fs::write(&kernel, "kernel").unwrap();
        (folder, vec![(kernel, root.join("Image"))], root)
    }

    #[test]
    fn what_was_staged_is_removed_and_nothing_else() {
        let (_folder, all, root) = folders();
        let staging = Staging::default();
        staging.copy(&root, all).unwrap();
        std::fs::write(root.join("of-somebody-else"), "").unwrap();
        assert_eq!(std::fs::read(root.join("Image")).unwrap(), b"kernel");
        assert_eq!(staging.remove(), Vec::<String>::new());
        assert!(!root.join("Image").exists() && root.join("of-somebody-else").exists());
    }

    #[test]
    fn a_job_stopped_before_its_files_were_copied_leaves_none() {
        let (_folder, all, root) = folders();
        let staging = Staging::default();
        staging.remove();
        let error = staging.copy(&root, all).unwrap_err();
        assert_eq!(error.to_string(), "stopped before the boot files were staged");
        assert!(!root.exists());
    }

    #[test]
    fn files_copied_before_one_that_fails_are_removed_too() {
        let (folder, mut all, root) = folders();
        all.push((folder.path().join("absent"), root.join("absent")));
        let staging = Staging::default();
        staging.copy(&root, all).unwrap_err();
        staging.remove();
        assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0);
    }
}
