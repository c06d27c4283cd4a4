//! What `--json` prints besides the events of a job: one object a line, each with the key `event`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use exporter_yaml::Finding;
use flasher_core::{Class, Description, Error, Event, Failure, Plan, Step, Timed, Verdict};
use ledger::{BoardRecord, Health, HistoryEntry, ImageRecord, MediumRecord};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A result of a command.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Message {
    /// A problem of a file.
    Finding {
        /// The file as the user named it.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// Path in the tree, dotted; empty for the file as a whole.
        at: String,
        /// What is wrong and what was accepted.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// The command failed.
    Error {
        /// Who is to blame.
        class: Class,
        /// What happened.
        cause: String,
        /// Where, in more detail.
        context: BTreeMap<String, String>,
        /// What to do next.
        help: Option<String>,
        /// The last console lines before it.
        console: Vec<String>,
    },
    /// What a flash would do.
    Plan(Box<Plan>),
    /// A node of an exporter YAML that is fine.
    Node {
        /// Its dotted path.
        path: String,
        /// What it is.
        kind: String,
        /// What a flasher boots and where it can write.
        description: Option<Box<Description>>,
    },
    /// A driver of this build.
    Driver {
        /// What `type:` takes.
        name: String,
        /// Other names it answers to.
        aliases: Vec<String>,
        /// One line.
        summary: String,
        /// The children it needs or can use.
        children: Vec<Child>,
        /// JSON Schema of its `config:`.
        config: Value,
        /// A working node, YAML.
        example: String,
    },
    /// A board of this build.
    Board {
        /// What `type:` takes.
        name: String,
        /// Other names it answers to.
        aliases: Vec<String>,
        /// The driver that flashes it.
        driver: String,
        /// Its manifest, passwords left out.
        manifest: Value,
    },
    /// Power was switched, or asked for.
    Power {
        /// What it is now; none when it is not known.
        on: Option<bool>,
        /// Whether the switch reports it.
        confirmed: bool,
    },
    /// A job runs on without a terminal.
    Detached {
        /// Its ID, for `attach` and `cancel`.
        job: String,
        /// Where its receipt will be.
        receipt: String,
        /// Where its messages go.
        log: String,
    },
    /// A reading of a power meter.
    Reading {
        /// Volts.
        voltage: f64,
        /// Amperes.
        current: f64,
    },
    /// A folder is being served; transfers follow.
    Serving {
        /// The folder.
        root: String,
        /// Where TFTP is served, when it is; the host is the wildcard when that was asked for.
        tftp: Option<SocketAddr>,
        /// Where HTTP is served, when it is.
        http: Option<SocketAddr>,
    },
    /// What `doctor` found out about one thing.
    Health {
        /// The thing: a node's path, or a folder.
        subject: String,
        /// Whether a flash could use it.
        healthy: bool,
        /// Whether it is a warning, which does not count for the exit code: a registry out of reach, a board left on.
        warning: bool,
        /// Who is to blame when a flash could not use it, as in the flash that fails.
        class: Option<flasher_core::Class>,
        /// What was found.
        finding: String,
        /// What to do.
        help: Option<String>,
    },
    /// A job that the ledger has.
    Job(Box<HistoryEntry>),
    /// An image that the ledger has.
    UsedImage(Box<ImageRecord>),
    /// A board that the ledger has.
    UsedBoard(Box<BoardRecord>),
    /// A medium that the ledger has.
    Medium {
        /// What its record says of its health.
        health: Health,
        /// Each fact that speaks against it.
        evidence: Vec<String>,
        /// The record.
        #[serde(flatten)]
        record: Box<MediumRecord>,
    },
    /// A medium file was compared with the image, independently of the flash.
    Compared {
        /// Bytes compared.
        length: u64,
        /// SHA-256 of the image.
        image_sha256: String,
        /// SHA-256 of as many bytes of the medium.
        medium_sha256: String,
    },
    /// Something that `bundle check` found.
    BundleFinding {
        /// `error` or `warning`.
        severity: String,
        /// The key of the manifest.
        place: String,
        /// What is wrong and what was expected.
        message: String,
    },
    /// A bundle was pulled, pushed or pinned.
    Bundle {
        /// Its name.
        reference: String,
        /// Digest of its manifest in the registry.
        digest: String,
        /// What a pinned name stood for before.
        before: Option<String>,
        /// The folder it is in, or the lock file.
        place: Option<String>,
        /// Bytes that went over the wire.
        bytes: u64,
    },
    /// What `bundle gc` removed, or would.
    Freed {
        /// Digests of bundles.
        bundles: Vec<String>,
        /// Number of files.
        files: usize,
        /// Their bytes.
        bytes: u64,
        /// Whether nothing was removed.
        dry: bool,
    },
    /// An exporter listens.
    Listening {
        /// `HOST:PORT`, or the path of a unix socket.
        address: String,
    },
    /// A recording was played again.
    Replayed {
        /// The file.
        file: String,
        /// Whether it ended as it was recorded.
        is_same: bool,
        /// How it ended when it was recorded; none when it did not fail.
        recorded: Option<ReplayEnd>,
        /// How it ended now.
        now: Option<ReplayEnd>,
        /// What the job first did otherwise; none when it ended the same.
        first_difference: Option<String>,
    },
    /// The recordings of this user.
    Recordings {
        /// They, the newest first.
        recordings: Vec<RecordingFile>,
    },
    /// A receipt proves that its images are where it says.
    ProvingReceipt {
        /// The file.
        file: String,
        /// What it proves.
        images: Vec<ProvenImage>,
    },
    /// A receipt is as it was written, and tells of a failure.
    FailedReceipt {
        /// The file.
        file: String,
        /// The failure.
        failure: Box<Failure>,
    },
    /// A receipt was kept.
    Receipt {
        /// The file.
        file: String,
    },
    /// The jobs of several boards are over.
    Boards {
        /// How each ended, in the order in which they were named.
        boards: Vec<BoardResult>,
    },
}

/// How the job of one board of several ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct BoardResult {
    /// Its name, as events have it.
    pub(crate) board: String,
    /// What its receipt says; none when there is no receipt.
    pub(crate) verdict: Option<Verdict>,
    /// The exit code of a command that had done this job alone.
    pub(crate) exit_code: u8,
    /// How long it took.
    pub(crate) seconds: f64,
    /// The file of its receipt, else how the ledger shows it.
    pub(crate) receipt: Option<String>,
}

/// An image that a receipt proves.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ProvenImage {
    /// Where it came from, as the receipt says.
    pub(crate) source: String,
    /// Decoded length, bytes.
    pub(crate) length: u64,
    /// SHA-256 of the decoded image.
    pub(crate) sha256: String,
    /// The device on the board.
    pub(crate) device: String,
    /// How many ranges were read back.
    pub(crate) ranges: usize,
    /// Labels of the partitions that were to stay, and did; they are not the image's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) kept: Vec<String>,
    /// Whether it is the image that was given beside the receipt.
    pub(crate) is_given_image: bool,
    /// Whether that image is also packed as the receipt says, byte for byte.
    pub(crate) is_given_source: bool,
}

/// A child a driver needs or can use.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Child {
    /// Its name below `children:`.
    pub(crate) role: String,
    /// What it has to be.
    pub(crate) kind: String,
    /// Whether the driver cannot do without.
    pub(crate) needed: bool,
    /// What it is for.
    pub(crate) purpose: String,
}

impl From<&Finding> for Message {
    fn from(finding: &Finding) -> Self {
        let Finding { file, line, column, at, message, help, .. } = finding.clone();
        Self::Finding { file, line, column, at, message, help }
    }
}

impl From<&Error> for Message {
    fn from(error: &Error) -> Self {
        Self::Error {
            class: error.class(),
            cause: error.cause(),
            context: error.context().iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            help: error.next_step().map(str::to_owned),
            console: error.console_lines().to_vec(),
        }
    }
}

/// What is on one line of `--json` output. For its schema.
#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "read by schemars only")]
enum Line {
    /// What a running job tells.
    Job(Event),
    /// What a command gives.
    Command(Message),
}

/// JSON Schema of one line of `--json` output, which also has its time.
pub(crate) fn schema() -> Value {
    schemars::schema_for!(Timed<Line>).to_value()
}

/// How a job ended that was recorded, or played.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ReplayEnd {
    /// Who is to blame.
    pub(crate) class: Class,
    /// The step that failed.
    pub(crate) step: Step,
    /// What happened.
    pub(crate) cause: String,
}

/// A recording of this user.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct RecordingFile {
    /// Where it is.
    pub(crate) file: String,
    /// When the job began: RFC 3339 in UTC.
    pub(crate) time: String,
    /// What the exporter YAML calls the bench.
    pub(crate) board: Option<String>,
    /// The step that failed; none when it did not fail.
    pub(crate) step: Option<String>,
    /// What happened.
    pub(crate) cause: Option<String>,
}
