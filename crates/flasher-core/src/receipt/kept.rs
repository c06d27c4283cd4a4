//! Partitions that a flash leaves as they are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest stretch of a partition that has a digest of its own, bytes.
pub const KEPT_STRETCH: u64 = 16 << 20;

/// A partition that was to stay as it is, and what was read of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeptPartition {
    /// Its label, which the image and the medium give to the same place.
    pub label: String,
    /// First byte on the medium.
    pub offset: u64,
    /// Length, bytes.
    pub length: u64,
    /// SHA-256 of what was there before the first write of the job: one for each 16 MiB of it, in order.
    pub before: Vec<String>,
    /// The same after the last write; nothing where it was not read again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

impl KeptPartition {
    /// Where it ends, bytes; as far as numbers go for one that cannot be.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// Whether a range lies in it as a whole.
    pub fn holds(&self, offset: u64, length: u64) -> bool {
        self.offset <= offset && offset.saturating_add(length) <= self.end()
    }

    /// Whether a range has any byte of it.
    pub fn touches(&self, offset: u64, length: u64) -> bool {
        offset < self.end() && self.offset < offset.saturating_add(length)
    }
}
