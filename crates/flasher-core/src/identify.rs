//! A job that says what a medium holds, and what it found.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::flash::{FlashJob, RangeKind, Site, Via};

pub use crate::receipt::{FoundImage, FoundPartition, Identification};

/// What to look at, and the images that it may hold.
#[derive(Clone)]
pub struct IdentifyJob {
    /// Images that the medium may hold.
    pub known: Vec<KnownImage>,
    /// The only image to compare with, as [`FlashJob::image`] names one; none compares with `known`.
    pub image: Option<String>,
    /// A target name of the manifest; none takes its default.
    pub target: Option<String>,
    /// The way to the medium; none leaves it to the flasher's config.
    pub via: Option<Via>,
    /// Label of the partition on the target that is looked at; none means the whole device.
    pub partition: Option<String>,
    /// How often a failed attempt is repeated when that can help.
    pub retries: u32,
    /// Bound on the whole job.
    pub deadline: Option<Duration>,
    /// Whether the board is powered off at the end.
    pub power_off: bool,
    /// Where everything the board printed is kept.
    pub transcript: Option<PathBuf>,
    /// Who runs the job and on which bench, for the receipt.
    pub site: Site,
    /// Cancelled to stop the job: services go down and the board is powered off.
    pub stop: CancellationToken,
    /// Cancelled by a caller that cannot wait for a job to stop; as [`FlashJob::hurry`].
    pub hurry: CancellationToken,
}

impl Default for IdentifyJob {
    /// A job that knows no image, with every choice at its default: three retries, power off at the end.
    fn default() -> Self {
        Self {
            known: Vec::new(),
            image: None,
            target: None,
            via: None,
            partition: None,
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

impl IdentifyJob {
    /// What it has in common with a flash, as the steps of one read it.
    pub fn settings(&self) -> FlashJob {
        FlashJob {
            partition: self.partition.clone(),
            target: self.target.clone(),
            via: self.via,
            retries: self.retries,
            deadline: self.deadline,
            power_off: self.power_off,
            transcript: self.transcript.clone(),
            site: self.site.clone(),
            stop: self.stop.clone(),
            hurry: self.hurry.clone(),
            ..FlashJob::new(self.image.clone().unwrap_or_default())
        }
    }
}

impl fmt::Debug for IdentifyJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentifyJob")
            .field("known", &self.known.len())
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// An image whose ranges are known by their digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownImage {
    /// Where it came from, without secrets.
    pub name: String,
    /// SHA-256 of the decoded image, lower-case hex.
    pub sha256: String,
    /// Decoded length, bytes.
    pub length: u64,
    /// All of it, in order.
    pub ranges: Vec<KnownRange>,
}

/// One range of a known image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownRange {
    /// First byte.
    pub offset: u64,
    /// Length, bytes.
    pub length: u64,
    /// What the image has there.
    pub kind: RangeKind,
    /// SHA-256 of its bytes there, lower-case hex.
    pub sha256: String,
}
