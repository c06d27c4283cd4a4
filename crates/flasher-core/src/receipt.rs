//! Evidence of how a job ended: the receipt and its facts.

mod attempt;
pub mod audit;
mod board;
mod compare;
mod diagnosis;
mod evidence;
mod failure;
mod found;
pub(crate) mod kept;
mod on_medium;
mod power;
mod seal;
mod traffic;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::attempt::{AttemptFacts, Site};
pub use self::board::{AutobootEnd, AutobootFacts, BoardFacts, LoadFacts, LoadedBy};
pub use self::compare::{CompareFacts, SampleFacts};
pub use self::diagnosis::{Diagnosis, Observation, View};
pub use self::evidence::{CacheBypass, CheckedDigest, DigestsBy, ViaUsed, WireUsed, ZerosBy};
pub use self::failure::Failure;
pub use self::found::{FoundImage, FoundPartition, Identification};
pub use self::kept::{KEPT_STRETCH, KeptPartition};
pub use self::on_medium::MediumState;
pub use self::power::{PowerEvidence, PowerState};
pub use self::traffic::{Moved, RateFacts, RatePoint, TrafficFacts, TransferEnd, TransferFacts};
use crate::clock;
use crate::error::Class;
use crate::source::FormatChoice;
use crate::step::Step;

/// The schema of the receipts that this version writes.
pub const SCHEMA: u32 = 3;

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The bytes read back from the medium equal the image.
    Proven,
    /// All was written, but not all was read back, as the job asked for (`verify` says how much was).
    #[serde(rename = "written, not proven")]
    Written,
    /// The medium was read and nothing was written: `found` says what it holds.
    Identified,
    /// It failed; the receipt's `failure` names the cause.
    Failed,
}

/// Evidence of how a job ended, kept as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// Version of this schema: 3. Receipts of schema 1 have no digest over the whole, and those of schema 2 no step `compare`.
    pub schema: u32,
    /// Version of the tool.
    pub tool: String,
    /// What was asked for; receipts of former versions are all of flashes.
    #[serde(default)]
    pub job: JobKind,
    /// How it ended.
    pub verdict: Verdict,
    /// Why it failed, exactly when the verdict says so.
    pub failure: Option<Failure>,
    /// Who ran it, and on which bench.
    #[serde(default)]
    pub site: Site,
    /// Unix time of the start, seconds; 0 for a clock before 1970.
    pub started: u64,
    /// When it began: RFC 3339, UTC, by the clock of the machine that ran it.
    #[serde(default)]
    pub begun: String,
    /// When it ended: `begun` and `seconds` later, so that a clock that is set meanwhile changes nothing.
    #[serde(default)]
    pub ended: String,
    /// Duration, seconds.
    pub seconds: f64,
    /// Attempts made.
    pub attempts: u32,
    /// How each of them went, in order; receipts of schema 1 do not say.
    #[serde(default)]
    pub history: Vec<AttemptFacts>,
    /// The image.
    pub image: ImageFacts,
    /// The board and what was booted on it.
    pub board: BoardFacts,
    /// The medium, once it was looked at.
    pub medium: Option<MediumFacts>,
    /// Further images of the same job, in the order they were written, each with its own evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<FurtherImage>,
    /// What the medium holds, of a job that looked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Identification>,
    /// Duration of each step of the last attempt, over all images, seconds.
    pub steps: BTreeMap<Step, f64>,
    /// State the board's power was left in.
    pub power: PowerState,
    /// How sure that state is; receipts of former versions do not say.
    #[serde(default)]
    pub power_evidence: PowerEvidence,
    /// What moved and when; receipts of former versions do not say.
    #[serde(default, skip_serializing_if = "TrafficFacts::is_empty")]
    pub traffic: TrafficFacts,
    /// The recorded console.
    pub transcript: Option<TranscriptFacts>,
    /// What deserved a second look.
    pub warnings: Vec<String>,
    /// SHA-256 of the receipt as JSON without this key, keys in the order of their bytes at every level, no space between
    /// and no line end: what `jq -cjS 'del(.sha256)' FILE | sha256sum` prints. It shows that nothing was changed by
    /// accident or by hand; it is no signature, as a person who changes a receipt on purpose can make it anew.
    #[serde(default)]
    pub sha256: String,
}

impl Receipt {
    /// A receipt of a job that began at `begun` and took `took`, of which nothing else is known: it failed, and names no
    /// cause yet. `tool` is the name and version of the program.
    pub fn blank(tool: &str, job: JobKind, site: Site, begun: SystemTime, took: Duration) -> Self {
        let (begun_text, seconds) = (clock::milliseconds(begun), rounded(took));
        let ended = clock::parse(&begun_text).map(|begun| begun + milliseconds(seconds));
        Self {
            schema: SCHEMA,
            tool: tool.to_owned(),
            job,
            verdict: Verdict::Failed,
            failure: None,
            site,
            started: begun.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            ended: ended.map_or_else(|| begun_text.clone(), clock::from_milliseconds),
            begun: begun_text,
            seconds,
            attempts: 0,
            history: Vec::new(),
            image: ImageFacts::default(),
            board: BoardFacts::default(),
            medium: None,
            further: Vec::new(),
            found: None,
            steps: BTreeMap::new(),
            power: PowerState::Untouched,
            power_evidence: PowerEvidence::default(),
            traffic: TrafficFacts::default(),
            transcript: None,
            warnings: Vec::new(),
            sha256: String::new(),
        }
    }

    /// The class of the failure, or none when there is none.
    pub fn class(&self) -> Option<Class> {
        self.failure.as_ref().map(|failure| failure.class)
    }

    /// Exit code of a command that ends with this receipt: 0 when proven, written as the job asked for, or identified.
    pub fn exit_code(&self) -> u8 {
        match (self.verdict, &self.failure) {
            (Verdict::Proven | Verdict::Written | Verdict::Identified, None) => 0,
            (_, Some(failure)) => failure.class.exit_code(),
            (Verdict::Failed, None) => Class::Internal.exit_code(),
        }
    }
}

/// Seconds of a receipt: to the millisecond, which JSON's readers all understand as the same number.
pub fn rounded(took: Duration) -> f64 {
    (took.as_secs_f64() * 1000.0).round() / 1000.0
}

/// Keeps a flag that is not set out of the JSON, so that the digest of older receipts stays right.
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Milliseconds of seconds that are [`rounded`].
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

/// What a job does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// It puts images on a medium.
    #[default]
    Flash,
    /// It reads a medium into a file, which is the receipt's `image`.
    Dump,
    /// It looks at what a medium holds, and writes nothing.
    Identify,
}

/// An image of a job that has several, and where it went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FurtherImage {
    /// The image.
    pub image: ImageFacts,
    /// The medium, once it was looked at.
    pub medium: Option<MediumFacts>,
}

/// What is known of the image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImageFacts {
    /// Where it came from, without secrets.
    pub source: String,
    /// For which platform it is, and the digest of the manifest that names it, where its registry has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Its format, by its magic bytes.
    pub format: Option<String>,
    /// What the unpacked image begins with, by its bytes; none when that was not seen before it was written.
    #[serde(default)]
    pub content: Option<String>,
    /// What it was allowed to be: `raw` when anything was, as `--format raw` says. Receipts of former versions allow anything.
    #[serde(default)]
    pub format_choice: FormatChoice,
    /// Source length, bytes.
    pub source_length: Option<u64>,
    /// SHA-256 of the source.
    pub source_sha256: Option<String>,
    /// Decoded length, bytes.
    pub decoded_length: Option<u64>,
    /// SHA-256 of the decoded image.
    pub decoded_sha256: Option<String>,
    /// Which digest was the demanded one.
    pub checked: Option<CheckedDigest>,
    /// The file of checksums that says which digest it must have, when that was none of `--sha256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksums: Option<String>,
    /// The block map that was used, and how much of the image it vouches for.
    pub block_map: Option<String>,
    /// Whether it came out of the cache, decoded already.
    #[serde(default)]
    pub cached: bool,
}

/// What became of the copy of an older partition table (GPT) at a medium's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OldTable {
    /// It is as it was, unless the image reaches it.
    Left,
    /// It was removed before the image was written, as asked for.
    Wiped,
}

/// How much a medium holds that says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldsLess {
    /// Bytes it seems to hold; none when that was not found out.
    pub bytes: Option<u64>,
}

/// What is known of the medium and what was done to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MediumFacts {
    /// Name of the target in the manifest.
    pub target: String,
    /// The way that was taken to it; receipts of former versions do not say, and took a Linux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<ViaUsed>,
    /// The device on the board that was written or read, as who writes it names it: the whole target, or one of its partitions.
    pub device: String,
    /// Label of the partition, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// The device the partition is on, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
    /// Its size, bytes.
    pub size: u64,
    /// What else identifies it: model, serial, controller, as far as the board tells.
    pub identity: BTreeMap<String, String>,
    /// What became of the copy of an older partition table at its end, when there was one that the image does not surely reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_table: Option<OldTable>,
    /// That it holds less than it says, when that was found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds_less: Option<HoldsLess>,
    /// How the read-back went around the page cache.
    pub read_back: Option<CacheBypass>,
    /// Who made the digests of what was read back.
    #[serde(default)]
    pub digests_by: Option<DigestsBy>,
    /// SHA-256 of as many bytes of the medium as the image has, exactly when `verify` is full and all of them were read back: what `sha256sum` says of the
    /// decoded image. Each range was digested or compared by itself, here or on the board, and all are equal to the image's, so the whole is. Receipts of schema 1 have a digest over the digests of all ranges here.
    pub read_back_sha256: Option<String>,
    /// Bytes of data sent to the board.
    pub data_written: u64,
    /// Bytes of zeros the board made by itself.
    pub zeros_written: u64,
    /// How it made them.
    #[serde(default)]
    pub zeros_by: Option<ZerosBy>,
    /// How the image travelled to the board.
    #[serde(default)]
    pub wire: Option<WireUsed>,
    /// How much was to be read back; receipts of former versions do not say, and read back everything.
    #[serde(default)]
    pub verify: Verify,
    /// What it held of the image before; none where nothing was to be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<CompareFacts>,
    /// Partitions that were to stay as they are, as asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<KeptPartition>,
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
    /// What the image has there.
    pub kind: RangeKind,
    /// SHA-256 of the image's bytes there, which the medium must hold too unless they are unmapped.
    pub sha256: String,
    /// SHA-256 read back last, when it was read back.
    pub read_back: Option<String>,
    /// How often it was written.
    pub writes: u32,
    /// Whether the medium held all of it already, so that it was not written.
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
}

/// How much of the medium is read back and compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Everything the image cares about: only this ends proven.
    #[default]
    Full,
    /// Only what the image has data for; zeros are written and not read back.
    Mapped,
    /// Nothing but the first block.
    Off,
}

impl Verify {
    /// Whether a range of this kind is read back.
    pub fn reads(self, kind: RangeKind) -> bool {
        match kind {
            RangeKind::Data => self != Self::Off,
            RangeKind::Zero => self == Self::Full,
            RangeKind::Unmapped => false,
        }
    }
}

/// What the image has in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RangeKind {
    /// Data.
    Data,
    /// Zeros only.
    Zero,
    /// Nothing that matters, as its block map or its sparse format says, or a partition that stays: neither written nor read back.
    #[serde(rename = "dont-care")]
    Unmapped,
}

/// The recorded console.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TranscriptFacts {
    /// Where it is.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
}
