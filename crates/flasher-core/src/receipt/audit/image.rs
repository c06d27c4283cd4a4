//! A receipt held against an image that was decoded anew.

use super::compare;
use super::flaw::{Audited, Flaw, Part, demand, parts};
use crate::receipt::{JobKind, RangeFacts, RangeKind, Receipt, WireUsed};

/// What an image is, found by decoding it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageMap {
    /// Length of the source as stored, bytes.
    pub source_length: u64,
    /// SHA-256 of the source as stored.
    pub source_sha256: String,
    /// Length of the decoded image, bytes.
    pub decoded_length: u64,
    /// SHA-256 of the decoded image.
    pub decoded_sha256: String,
    /// How it is wrapped, the innermost first, as receipts say it.
    pub format: String,
    /// Whether a block map is in use.
    pub mapped: bool,
    /// Bytes that a flash sends as data, the first block included.
    pub data_length: u64,
    /// Bytes that a flash has the board make zeros of.
    pub zero_length: u64,
    /// The image in ranges.
    pub ranges: Vec<ImageRange>,
}

/// A range of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRange {
    /// First byte.
    pub offset: u64,
    /// Length, bytes.
    pub length: u64,
    /// What the image has there.
    pub kind: RangeKind,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// The image of a receipt that is the given one.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'a> {
    /// The image and its medium.
    pub part: Part<'a>,
    /// Whether also the source is the one that the receipt names, byte for byte. Else it is the same image packed otherwise.
    pub same_source: bool,
}

/// The image of an audited receipt that is `map`: the same bytes, cut and called what `map` calls them.
///
/// # Errors
/// When the receipt is of no such image, or tells something else of it.
pub fn against<'a>(receipt: &'a Receipt, map: &ImageMap) -> Result<Matched<'a>, Flaw> {
    let all = parts(receipt)?;
    let is_it = |part: &Part<'_>| part.image.decoded_sha256.as_ref() == Some(&map.decoded_sha256);
    let found = all.into_iter().find(|(_, part)| is_it(part));
    let (place, part) =
        found.ok_or_else(|| Flaw::new("image.decoded_sha256", "the digest of the image is another"))?;
    same(receipt.job, &place, part, map)?;
    let same_source = receipt.job == JobKind::Dump || source(part, map, &place)?;
    Ok(Matched { part, same_source })
}

fn same(job: JobKind, place: &str, Part { image, medium }: Part<'_>, map: &ImageMap) -> Audited {
    let at = |name: &str| format!("{place}medium.{name}");
    let length = Some(map.decoded_length);
    demand(
        image.decoded_length == length,
        format!("{place}image.decoded_length"),
        "the image has another length",
    )?;
    demand(
        map.mapped || job == JobKind::Dump || image.block_map.is_none(),
        format!("{place}image.block_map"),
        "it was flashed with a block map, and none is given here",
    )?;
    demand(medium.ranges.len() == map.ranges.len(), at("ranges"), "the image has other ranges")?;
    for (index, (told, found)) in medium.ranges.iter().zip(&map.ranges).enumerate() {
        demand(is_same(told, found), at(&format!("ranges[{index}]")), "the image has something else there")?;
    }
    let first = map.ranges.first().map_or(0, |range| range.length);
    let (data, zeros) = match (job, medium.wire) {
        (JobKind::Dump | JobKind::Identify, _) => (0, 0),
        (JobKind::Flash, Some(WireUsed::Direct)) => (map.decoded_length - first, 0),
        (JobKind::Flash, _) => (map.data_length - first, map.zero_length),
    };
    // Of an image that was compared first only what differed was written.
    let fits = |written: u64, all: u64| written == all || written < all && compare::wrote_less(medium);
    demand(fits(medium.data_written, data), at("data_written"), "the image has another amount of data")?;
    demand(fits(medium.zeros_written, zeros), at("zeros_written"), "the image has another amount of zeros")
}

fn is_same(told: &RangeFacts, found: &ImageRange) -> bool {
    (told.offset, told.length, told.kind, &told.sha256)
        == (found.offset, found.length, found.kind, &found.sha256)
}

/// Whether the source is the same, in which case everything about it must be.
fn source(Part { image, .. }: Part<'_>, map: &ImageMap, place: &str) -> Result<bool, Flaw> {
    if image.source_sha256.as_ref() != Some(&map.source_sha256) {
        return Ok(false);
    }
    let at = |name: &str| format!("{place}image.{name}");
    demand(
        image.source_length == Some(map.source_length),
        at("source_length"),
        "the source has another length",
    )?;
    demand(image.format.as_ref() == Some(&map.format), at("format"), "the source has another format")?;
    Ok(true)
}
