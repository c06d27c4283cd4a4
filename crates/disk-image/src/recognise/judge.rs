//! Whether an image may be where it is to be written.

use super::seen::{LOOK, Seen};
use super::{content, foreign};
use crate::{Error, Expected, ImageContent, PartitionTable};

/// Shortest image, in bytes: one sector.
const SECTOR: u64 = 512;

/// What the image is, if that may be where it is to be written. `None` when too little of it was seen.
///
/// # Errors
///
/// It is another format or a document, too short, or nothing that a whole device can hold.
pub(crate) fn judge(label: &str, expected: Expected, seen: Seen<'_>) -> Result<Option<ImageContent>, Error> {
    let content = content::of(seen.head);
    if expected == Expected::Anything {
        return Ok(seen.complete.then_some(content));
    }
    if let Some(found) = foreign::of(seen, content, expected) {
        return Err(found.error(label));
    }
    if !seen.complete {
        return Ok(None);
    }
    if let Some(length) = seen.length.or_else(|| short(seen)).filter(|length| *length < SECTOR) {
        return Err(Error::Tiny { label: label.into(), length });
    }
    match content {
        ImageContent::Unknown if expected == Expected::Device => {
            Err(Error::Unknown { label: label.into(), begins: hex(seen.head) })
        }
        ImageContent::Table(table) if expected == Expected::Device => {
            fits(label, table, seen.length).map(|()| Some(content))
        }
        _ => Ok(Some(content)),
    }
}

/// The length of an image that is seen as a whole.
fn short(seen: Seen<'_>) -> Option<u64> {
    (seen.complete && seen.head.len() < LOOK).then_some(seen.head.len() as u64)
}

/// What is in the partitions must be in the image.
fn fits(label: &str, table: PartitionTable, length: Option<u64>) -> Result<(), Error> {
    match length.filter(|length| *length < table.end) {
        Some(length) => Err(Error::BeyondEnd { label: label.into(), table, length }),
        None => Ok(()),
    }
}

/// The first bytes as a person may compare them.
fn hex(head: &[u8]) -> String {
    head.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
