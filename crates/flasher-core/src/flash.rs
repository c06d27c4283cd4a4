//! A flash job, its plan and its receipt.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flasher_base::source_exchange::SourceExchanges;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::fetch::FetchRules;
pub use crate::source::FormatChoice;
use crate::source::SourceChoices;

pub use crate::traffic::TrafficLog;

pub use crate::receipt::{
    AttemptFacts, AutobootEnd, AutobootFacts, BoardFacts, CacheBypass, CheckedDigest, CompareFacts,
    Diagnosis, DigestsBy, Failure, FurtherImage, HoldsLess, ImageFacts, JobKind, KEPT_STRETCH, KeptPartition,
    LoadFacts, LoadedBy, MediumFacts, MediumState, Moved, Observation, OldTable, PowerEvidence, PowerState,
    RangeFacts, RangeKind, RateFacts, RatePoint, Receipt, SCHEMA, SampleFacts, Site, TrafficFacts,
    TranscriptFacts, TransferEnd, TransferFacts, Verdict, Verify, ViaUsed, View, WireUsed, ZerosBy, audit,
    rounded,
};

/// What to flash, where to, and how hard to try.
#[derive(Clone)]
pub struct FlashJob {
    /// The image: a path, an http(s) URL or `-` for standard input.
    pub image: String,
    /// Label of the partition on the target that `image` is for; none means the whole device.
    pub partition: Option<String>,
    /// Further images for further partitions of the same target, written in this order without a power cycle between.
    pub also: Vec<PartitionImage>,
    /// A target name of the manifest; none takes its default.
    pub target: Option<String>,
    /// The way to the medium; none leaves it to the flasher's config.
    pub via: Option<Via>,
    /// Commands run on the board before its target is looked at. Each must end with status 0. They hold no secrets.
    pub preflash: Vec<String>,
    /// Extra headers for an http(s) source. Values are secrets.
    pub headers: Vec<(String, String)>,
    /// Bearer token for an http(s) source. A secret.
    pub bearer: Option<String>,
    /// PEM file with the CA that signed the http(s) source's certificate.
    pub cacert: Option<PathBuf>,
    /// Accept any certificate of the http(s) source.
    pub insecure: bool,
    /// What may be fetched, when a remote client chose the image.
    pub fetch: Option<FetchRules>,
    /// SHA-256 the source or the decoded image must have, 64 hex digits.
    pub sha256: Option<String>,
    /// SHA-256 of each image as a client sent it, lower-case hex, in the order of the images; nothing for one that is fetched.
    /// Every reading of such an image must find it. Empty when no client sent any.
    pub sent_sha256: Vec<Option<String>>,
    /// How the image is read.
    pub source: SourceChoices,
    /// What the image may be.
    pub format: FormatChoice,
    /// The copy of an older partition table at the end of the target is removed.
    pub wipe_old_table: bool,
    /// Labels of partitions of a whole device whose content stays. The image must have them where the medium has them.
    pub keep: Vec<String>,
    /// How often a failed attempt is repeated when that can help.
    pub retries: u32,
    /// Bound on the whole job.
    pub deadline: Option<Duration>,
    /// Whether the board is powered off after a proven flash.
    pub power_off: bool,
    /// Text (a regular expression) on the console that proves the new system boots.
    pub expect_boot: Option<String>,
    /// How much of the medium is read back; only all of it ends proven.
    pub verify: Verify,
    /// Decode the whole image before power on.
    pub check_first: bool,
    /// Whether the image is compared with what the medium holds already, before anything is written; none leaves it to the flasher's
    /// config.
    pub compare: Option<Compare>,
    /// How the image travels to the board; none leaves it to the flasher's config.
    pub wire: Option<Wire>,
    /// The board fetches the image's URL and unpacks it by itself; the exporter decodes it for its digests alone. For
    /// exporters with a slow link or processor. The URL is no secret then.
    pub direct: bool,
    /// Where everything the board printed is kept.
    pub transcript: Option<PathBuf>,
    /// Where the recording of the job is kept, for `flasher replay`; none keeps those of failures, as the flasher's config says.
    pub recording: Option<PathBuf>,
    /// What answers in place of the image's servers, when a recording is played; none asks them.
    pub exchanges: Option<Arc<dyn SourceExchanges>>,
    /// Who runs the job and on which bench, for the receipt.
    pub site: Site,
    /// Cancelled to stop the job: services go down and the board is powered off.
    pub stop: CancellationToken,
    /// Cancelled by a caller that cannot wait for a job to stop: cleaning up gets little time. The board is switched off all
    /// the same.
    pub hurry: CancellationToken,
}

/// An image for one partition of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionImage {
    /// The partition's label, as its GUID partition table has it.
    pub label: String,
    /// The image: a path or a URL.
    pub image: String,
}

impl FlashJob {
    /// A job for `image` with every choice at its default: three retries, power off at the end.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            partition: None,
            also: Vec::new(),
            target: None,
            preflash: Vec::new(),
            headers: Vec::new(),
            bearer: None,
            cacert: None,
            insecure: false,
            fetch: None,
            sha256: None,
            sent_sha256: Vec::new(),
            source: SourceChoices::default(),
            format: FormatChoice::Auto,
            wipe_old_table: false,
            keep: Vec::new(),
            retries: 3,
            deadline: None,
            power_off: true,
            expect_boot: None,
            verify: Verify::Full,
            check_first: false,
            compare: None,
            wire: None,
            via: None,
            direct: false,
            transcript: None,
            recording: None,
            exchanges: None,
            site: Site::default(),
            stop: CancellationToken::new(),
            hurry: CancellationToken::new(),
        }
    }
}

impl fmt::Debug for FlashJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlashJob")
            .field("target", &self.target)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

/// The way to a board's medium.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// A small Linux where a bundle is at hand, else the boot loader or this machine, whichever the targets are of.
    #[default]
    Auto,
    /// A small Linux out of a bundle, booted over the network.
    Linux,
    /// The boot loader's own commands; needs no bundle.
    Uboot,
    /// The medium as a disk of this machine, which a storage mux or a person gives to it; needs no bundle.
    Host,
}

/// Whether an image is compared with what the medium holds already, before anything is written. What is equal is not written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compare {
    /// Where it pays: an image that is at hand decoded, of which a sample is there already; and when an attempt follows one that has written.
    #[default]
    Auto,
    /// In any case, and all of it: an image that is not at hand decoded is decoded once more for it.
    Always,
    /// Not at all.
    Never,
}

/// How the image travels from the exporter to the board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wire {
    /// Whichever brings a sample to the board soonest, as measured.
    #[default]
    Auto,
    /// As it is.
    Identity,
    /// Packed with gzip; the board needs `zcat` or `gzip`.
    Gzip,
    /// Packed with zstd; the board needs `zstd`.
    Zstd,
}

/// What the config of a flasher chose for jobs that choose nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The target; none leaves it to the manifest.
    pub target: Option<String>,
    /// PEM file with the CA of https image sources.
    pub cacert: Option<PathBuf>,
    /// Registry of the bundle, as `host` or `host:port`; none for a folder.
    pub registry: Option<String>,
}

/// What a flasher boots and where it can write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Description {
    /// Name of the bundle's manifest.
    pub board: String,
    /// Target names and the devices they stand for.
    pub targets: BTreeMap<String, String>,
    /// The target taken when a job names none.
    pub default_target: String,
    /// Device-tree variants the bundle has.
    pub variants: Vec<String>,
    /// The variant in use.
    pub variant: Option<String>,
    /// Kernel or FIT.
    pub kernel: BootFile,
    /// Initramfs, when it is not part of the kernel file.
    pub initram: Option<BootFile>,
    /// Device tree of the variant in use, when it has a file.
    pub dtb: Option<BootFile>,
    /// Command that starts the kernel.
    pub bootcmd: String,
    /// SHA-256 of the bundle's manifest and files.
    pub bundle_sha256: String,
}

/// A file the boot loader fetches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BootFile {
    /// Path inside the bundle.
    pub file: String,
    /// The name it is served under.
    pub name: String,
    /// Load address, `0x…`.
    pub address: String,
    /// Length, bytes.
    pub length: u64,
}

/// A bundle's name and the digest it was pinned to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pinned {
    /// The name in the config, `registry/repository:tag`.
    pub reference: String,
    /// What it stands for from now on, `sha256:…`.
    pub digest: String,
    /// What it stood for before; nothing when it was not pinned.
    pub before: Option<String>,
    /// The lock file.
    pub file: PathBuf,
}

/// What a job would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The image, without secrets.
    pub image: String,
    /// For which platform it is, and the digest of the manifest that names it, where its registry has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Its format, by its magic bytes.
    pub format: String,
    /// What the unpacked image begins with, when that could be seen.
    pub content: Option<String>,
    /// What it may be.
    pub format_choice: FormatChoice,
    /// Source length, bytes, when known.
    pub source_length: Option<u64>,
    /// Decoded length, bytes, when it can be known without decoding.
    pub decoded_length: Option<u64>,
    /// The block map in use, and how much of the image it vouches for.
    pub block_map: Option<String>,
    /// The file of checksums that says which digest the image must have, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksums: Option<String>,
    /// Whether a decoded copy is in the cache, so that nothing is fetched or decoded.
    pub cached: bool,
    /// Name of the target.
    pub target: String,
    /// What the manifest says it stands for.
    pub device: String,
    /// The partition of the target that the image is for; none means the whole device.
    pub partition: Option<String>,
    /// Labels of partitions of the target that stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// Further images for further partitions of the same target.
    pub also: Vec<PlannedImage>,
    /// The way to the medium.
    pub via: ViaUsed,
    /// What is booted to write it; nothing where the boot loader writes it.
    pub boots: Option<Description>,
    /// Seconds after which an attempt is given up, of a job that has no deadline of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_limit: Option<f64>,
    /// What deserves a second look.
    pub warnings: Vec<String>,
}

/// What a job would do with one of its further images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedImage {
    /// The image, without secrets.
    pub image: String,
    /// For which platform it is, and the digest of the manifest that names it, where its registry has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Its format, by its magic bytes.
    pub format: String,
    /// Decoded length, bytes, when it can be known without decoding.
    pub decoded_length: Option<u64>,
    /// Label of the partition it is for.
    pub partition: String,
}
