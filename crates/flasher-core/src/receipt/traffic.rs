//! What a job moved and when: how fast it loaded, wrote and read back, and which transfers its file servers saw.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a job moved, and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrafficFacts {
    /// How bytes moved in the last attempt, a series for each way they took.
    #[serde(default)]
    pub rates: Vec<RateFacts>,
    /// The first and the last transfers that the file servers saw, over all attempts, in the order of their ends.
    #[serde(default)]
    pub transfers: Vec<TransferFacts>,
    /// How many more there were between them.
    #[serde(default)]
    pub transfers_left_out: u64,
}

impl TrafficFacts {
    /// Whether nothing was recorded, as in receipts of former versions.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How bytes moved over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateFacts {
    /// Which bytes.
    pub of: Moved,
    /// How far they had come, in the order of time; at most 120 points, further apart the longer it took.
    pub points: Vec<RatePoint>,
}

/// Which bytes moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Moved {
    /// Files into the board's memory.
    Load,
    /// The image onto the medium. Counted is the place in the image, so zeros and gaps count too.
    Write,
    /// The medium, read back to be compared.
    ReadBack,
    /// The medium of a dump, read the first time.
    Read,
}

/// So many bytes had moved at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RatePoint {
    /// Seconds since the job began.
    pub at: f64,
    /// Bytes since the first point of the series.
    pub bytes: u64,
}

/// What a file server saw of one transfer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TransferFacts {
    /// In which attempt, from 1.
    pub attempt: u32,
    /// `tftp` or `http`.
    pub protocol: String,
    /// The file that was asked for.
    pub file: String,
    /// When it ended: seconds since the job began.
    pub ended: f64,
    /// How long it took, seconds, where the server tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Bytes that were acknowledged (TFTP) or handed over (HTTP).
    pub bytes: u64,
    /// Packets sent again.
    pub resends: u64,
    /// How it ended.
    pub end: TransferEnd,
    /// Why it ended early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransferEnd {
    /// Every byte arrived.
    Done,
    /// Every byte was sent, and the last acknowledgement did not come.
    Unconfirmed,
    /// It ended early, or was refused.
    Failed,
}
