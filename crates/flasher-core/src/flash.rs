//! A flash job, its plan and its receipt.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::error::{Class, Error};
use crate::event::Step;

/// What to flash, where to, and how hard to try.
#[derive(Clone)]
pub struct FlashJob {
    /// The image: a path or an http(s) URL.
    pub image: String,
    /// A target name of the manifest; none takes its default.
    pub target: Option<String>,
    /// Extra headers for an http(s) source. Values are secrets.
    pub headers: Vec<(String, String)>,
    /// Bearer token for an http(s) source. A secret.
    pub bearer: Option<String>,
    /// PEM file with the CA that signed the http(s) source's certificate.
    pub cacert: Option<PathBuf>,
    /// Accept any certificate of the http(s) source.
    pub insecure: bool,
    /// SHA-256 the source or the decoded image must have, 64 hex digits.
    pub sha256: Option<String>,
    /// How often a failed attempt is repeated when that can help.
    pub retries: u32,
    /// Bound on the whole job.
    pub deadline: Option<Duration>,
    /// Whether the board is powered off after a proven flash.
    pub power_off: bool,
    /// Text (a regular expression) on the console that proves the new system boots.
    pub expect_boot: Option<String>,
    /// Decode the whole image before power on.
    pub check_first: bool,
    /// Where everything the board printed is kept.
    pub transcript: Option<PathBuf>,
    /// Cancelled to stop the job: services go down and the board is powered off.
    pub stop: CancellationToken,
}

impl FlashJob {
    /// A job for `image` with every choice at its default: three retries, power off at the end.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            target: None,
            headers: Vec::new(),
            bearer: None,
            cacert: None,
            insecure: false,
            sha256: None,
            retries: 3,
            deadline: None,
            power_off: true,
            expect_boot: None,
            check_first: false,
            transcript: None,
            stop: CancellationToken::new(),
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

/// What a job would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The image, without secrets.
    pub image: String,
    /// Its format, by its magic bytes.
    pub format: String,
    /// Source length, bytes, when known.
    pub source_length: Option<u64>,
    /// Decoded length, bytes, when it can be known without decoding.
    pub decoded_length: Option<u64>,
    /// Name of the target.
    pub target: String,
    /// What the manifest says it stands for.
    pub device: String,
    /// What is booted to write it.
    pub boots: Description,
    /// What deserves a second look.
    pub warnings: Vec<String>,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The bytes read back from the medium equal the image.
    Proven,
    /// It failed; the receipt's `failure` names the cause.
    Failed,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Who is to blame.
    pub class: Class,
    /// The step that failed.
    pub step: Step,
    /// What happened.
    pub cause: String,
    /// Where, in more detail.
    pub context: BTreeMap<String, String>,
    /// What to do next.
    pub help: Option<String>,
    /// The last console lines before it.
    pub console: Vec<String>,
}

impl Failure {
    /// The failure of `step` with `error`.
    pub fn new(step: Step, error: &Error) -> Self {
        Self {
            class: error.class(),
            step,
            cause: error.cause(),
            context: error.context().iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            help: error.next_step().map(str::to_owned),
            console: error.console_lines().to_vec(),
        }
    }
}

/// Evidence of how a job ended, kept as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// Version of this schema: 1.
    pub schema: u32,
    /// Version of the tool.
    pub tool: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Why it failed, exactly when the verdict says so.
    pub failure: Option<Failure>,
    /// Unix time of the start, seconds.
    pub started: u64,
    /// Duration, seconds.
    pub seconds: f64,
    /// Attempts made.
    pub attempts: u32,
    /// The image.
    pub image: ImageFacts,
    /// The board and what was booted on it.
    pub board: BoardFacts,
    /// The medium, once it was looked at.
    pub medium: Option<MediumFacts>,
    /// Duration of each step of the last attempt, seconds.
    pub steps: BTreeMap<Step, f64>,
    /// State the board's power was left in.
    pub power: PowerState,
    /// The recorded console.
    pub transcript: Option<TranscriptFacts>,
    /// What deserved a second look.
    pub warnings: Vec<String>,
}

impl Receipt {
    /// The class of the failure, or none when proven.
    pub fn class(&self) -> Option<Class> {
        self.failure.as_ref().map(|failure| failure.class)
    }

    /// Exit code of a command that ends with this receipt: 0 only when proven.
    pub fn exit_code(&self) -> u8 {
        match (self.verdict, &self.failure) {
            (Verdict::Proven, None) => 0,
            (_, Some(failure)) => failure.class.exit_code(),
            (Verdict::Failed, None) => Class::Internal.exit_code(),
        }
    }
}

/// What is known of the image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImageFacts {
    /// Where it came from, without secrets.
    pub source: String,
    /// Its format, by its magic bytes.
    pub format: Option<String>,
    /// Source length, bytes.
    pub source_length: Option<u64>,
    /// SHA-256 of the source.
    pub source_sha256: Option<String>,
    /// Decoded length, bytes.
    pub decoded_length: Option<u64>,
    /// SHA-256 of the decoded image.
    pub decoded_sha256: Option<String>,
    /// Which digest `--sha256` matched: `source` or `decoded`.
    pub checked: Option<String>,
}

/// What is known of the board.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BoardFacts {
    /// Name of the bundle's manifest.
    pub name: Option<String>,
    /// Device-tree variant.
    pub variant: Option<String>,
    /// SHA-256 of the bundle's manifest and files.
    pub bundle_sha256: Option<String>,
    /// Address the board had.
    pub address: Option<String>,
}

/// What is known of the medium and what was done to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MediumFacts {
    /// Name of the target in the manifest.
    pub target: String,
    /// The device on the board.
    pub device: String,
    /// Its size, bytes.
    pub size: u64,
    /// What else identifies it: model, serial, controller, as far as the board tells.
    pub identity: BTreeMap<String, String>,
    /// How the read-back went around the page cache: `direct` or `dropped`.
    pub read_back: Option<String>,
    /// SHA-256 over the digests of all ranges as read back, in order, exactly when all of them were read.
    pub read_back_sha256: Option<String>,
    /// Bytes of data sent to the board.
    pub data_written: u64,
    /// Bytes of zeros the board wrote by itself.
    pub zeros_written: u64,
    /// Every range of the image, in order.
    pub ranges: Vec<RangeFacts>,
}

/// What is known of one range of the medium.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RangeFacts {
    /// First byte.
    pub offset: u64,
    /// Length, bytes.
    pub length: u64,
    /// SHA-256 it must have.
    pub sha256: String,
    /// SHA-256 read back last, when it was read back.
    pub read_back: Option<String>,
    /// How often it was written.
    pub writes: u32,
}

/// State of the board's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PowerState {
    /// Never touched.
    Untouched,
    /// Switched off.
    Off,
    /// Switched on.
    On,
    /// The switch failed.
    Unknown,
}

/// The recorded console.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TranscriptFacts {
    /// Where it is.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
}
