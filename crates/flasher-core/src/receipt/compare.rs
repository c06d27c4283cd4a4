//! What a medium held already, before anything of an image was written to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What came of comparing an image with what the medium held before. Bytes all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CompareFacts {
    /// What a sample of the image's data showed, where one was read to decide whether the whole comparison pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleFacts>,
    /// Bytes of the image that were compared: all that count, or none.
    pub compared: u64,
    /// Those of them that the medium held already, and that were not written. The first block is written whenever anything is.
    pub equal: u64,
    /// Bytes that were written before anything was read back, the first block included.
    pub written: u64,
    /// Bytes that *verify* read back; none where nothing was written, as the comparison is the proof then.
    pub read_again: u64,
    /// Bytes of the image that were fetched, where its block map shows that the medium holds the rest; none where all of it was at hand
    /// or was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<u64>,
    /// Why nothing but a sample was compared, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

/// What a sample showed. Bytes all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SampleFacts {
    /// Bytes that were compared.
    pub compared: u64,
    /// Those of them that the medium held already.
    pub equal: u64,
}
