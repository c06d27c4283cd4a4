//! A job that reads a medium into a file, and where the bytes go.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::flash::{Site, Verify, Via};

/// What to read, and where to.
#[derive(Clone)]
pub struct DumpJob {
    /// Takes the bytes.
    pub sink: Arc<dyn DumpSink>,
    /// A target name of the manifest; none takes its default.
    pub target: Option<String>,
    /// The way to the medium; none leaves it to the flasher's config.
    pub via: Option<Via>,
    /// Label of the partition on the target that is read; none means the whole device.
    pub partition: Option<String>,
    /// How much is read a second time and compared; only all of it ends proven.
    pub verify: Verify,
    /// Commands run on the board before its target is looked at. Each must end with status 0. They hold no secrets.
    pub preflash: Vec<String>,
    /// How often a failed attempt is repeated when that can help.
    pub retries: u32,
    /// Bound on the whole job.
    pub deadline: Option<Duration>,
    /// Whether the board is powered off after a proven dump.
    pub power_off: bool,
    /// Where everything the board printed is kept.
    pub transcript: Option<PathBuf>,
    /// Who runs the job and on which bench, for the receipt.
    pub site: Site,
    /// Cancelled to stop the job: services go down and the board is powered off.
    pub stop: CancellationToken,
    /// Cancelled by a caller that cannot wait for a job to stop; as [`FlashJob::hurry`](crate::FlashJob::hurry).
    pub hurry: CancellationToken,
}

impl DumpJob {
    /// A job for `sink` with every choice at its default: three retries, power off at the end.
    pub fn new(sink: Arc<dyn DumpSink>) -> Self {
        Self {
            sink,
            target: None,
            via: None,
            partition: None,
            verify: Verify::Full,
            preflash: Vec::new(),
            retries: 3,
            deadline: None,
            power_off: true,
            transcript: None,
            site: Site::default(),
            stop: CancellationToken::new(),
            hurry: CancellationToken::new(),
        }
    }
}

impl fmt::Debug for DumpJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DumpJob")
            .field("target", &self.target)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

/// Takes what a dump reads. All methods may block; they are called from threads that may.
///
/// Nothing that it has taken may pass for a dump before [`DumpSink::keep`] was called.
pub trait DumpSink: Send + Sync {
    /// Where the bytes go, for people and the receipt.
    fn label(&self) -> String;

    /// Begins with a medium of `length` bytes. What was taken before is forgotten.
    ///
    /// # Errors
    /// When it cannot begin, or not again.
    fn begin(&self, length: u64) -> Result<()>;

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn take(&self, bytes: &[u8]) -> Result<()>;

    /// All is there, and proven or not asked to be: from now on it is a dump.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn keep(&self) -> Result<()>;
}
