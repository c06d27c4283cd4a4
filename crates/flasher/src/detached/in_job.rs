//! A job without a terminal, seen from the process that runs it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flasher_core::{Progress, Result};

use super::record::Record;
use super::{JobFolder, Running};

/// A job that runs in this process, and whose terminal is gone or will be.
pub(crate) struct InJob {
    folder: JobFolder,
    _running: Running,
}

impl InJob {
    /// Leaves the terminal's session and says that the job runs.
    ///
    /// # Errors
    /// When the job's folder cannot be written.
    pub(crate) fn enter(folder: &Path) -> Result<Self> {
        // It fails for the leader of a process group, which is what the process that started it made of it; then there is no terminal.
        let left = rustix::process::setsid();
        tracing::debug!(?left, "a session of its own");
        let folder = JobFolder::at(folder);
        let running = folder.run()?;
        Ok(Self { folder, _running: running })
    }

    /// Where its receipt is kept unless another place was named.
    pub(crate) fn receipt(&self) -> PathBuf {
        self.folder.receipt()
    }

    /// Keeps every event for users who attach.
    ///
    /// # Errors
    /// When the job's folder cannot be written.
    pub(crate) fn record(&self, further: Arc<dyn Progress>) -> Result<Arc<dyn Progress>> {
        let events = self.folder.create(&self.folder.events())?;
        Ok(Arc::new(Record::new(events, further)))
    }
}
