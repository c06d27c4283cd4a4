//! What a medium was found to hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a medium holds, as far as that was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identification {
    /// What its first bytes are, in words.
    pub content: String,
    /// The operating system in its file system, as that names itself; none where it has partitions, and where none was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Its partitions, in the order of its table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<FoundPartition>,
    /// The known image that it holds most of; none when it holds nothing of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<FoundImage>,
    /// How many images it was compared with.
    pub known_images: u32,
    /// Bytes that were read and compared.
    pub compared: u64,
}

/// A partition that a medium's table names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundPartition {
    /// Its number, from 1.
    pub number: u32,
    /// Its label, when the table has labels and it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// First byte.
    pub offset: u64,
    /// Length, bytes.
    pub length: u64,
    /// What its first bytes are, in words; none when they were not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The operating system in it, as that names itself; none where none was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Whether it is as the image has it; none without an image, and where the image has nothing that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_equal: Option<bool>,
    /// The first byte of the range, on the whole medium, that differs first; none when nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs_from: Option<u64>,
}

/// An image that a medium holds, whole or in part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundImage {
    /// Where it came from, without secrets.
    pub name: String,
    /// SHA-256 of the decoded image.
    pub sha256: String,
    /// Decoded length, bytes.
    pub length: u64,
    /// Bytes that matter: what its block map leaves out does not.
    pub counted: u64,
    /// How many of these the medium holds.
    pub equal: u64,
    /// First byte of the first range that differs; none when the medium holds all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs_from: Option<u64>,
}

impl FoundImage {
    /// Whether the medium holds all of it that matters.
    pub fn is_whole(&self) -> bool {
        self.equal == self.counted
    }
}
