//! What an image holds, by its first bytes.

use std::fmt;

/// What an image begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageContent {
    /// A partition table.
    Table(PartitionTable),
    /// A file system, volume or boot container, by its name.
    Known(&'static str),
    /// Nothing but zeros.
    Zeros,
    /// Bytes that are none of these.
    Unknown,
}

impl fmt::Display for ImageContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageContent::Table(table) => table.fmt(f),
            ImageContent::Known(name) => f.write_str(name),
            ImageContent::Zeros => f.write_str("zeros"),
            ImageContent::Unknown => f.write_str("unknown content"),
        }
    }
}

/// A partition that a table names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 1.
    pub number: u32,
    /// Its label; none in a table without labels, and where it is empty.
    pub label: Option<String>,
    /// First byte.
    pub offset: u64,
    /// Length, bytes.
    pub length: u64,
}

/// A partition table at the beginning of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionTable {
    /// Whether it is a GUID partition table, else it is an MBR.
    pub is_gpt: bool,
    /// Bytes of a sector that it counts in; none for an MBR, which does not tell, and where there is a table for each size.
    pub sector: Option<u64>,
    /// Where the last partition ends, and with GPT the copy of the table behind it; bytes.
    pub end: u64,
}

impl fmt::Display for PartitionTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_gpt, self.sector) {
            (true, Some(sector)) => write!(f, "a GUID partition table of sectors of {sector} bytes"),
            (true, None) => f.write_str("a GUID partition table"),
            (false, _) => f.write_str("an MBR partition table"),
        }
    }
}
