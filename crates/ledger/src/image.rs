//! Images that media were proven or written to hold: what a medium is compared with.

use flasher_core::flash::{ImageFacts, MediumFacts};
use flasher_core::identify::{KnownImage, KnownRange};
use flasher_core::{Receipt, Verdict};
use rusqlite::{Row, Transaction, params};
use schemars::JsonSchema;
use serde::Serialize;

use crate::columns::{self, Listed, number, signed};
use crate::{Ledger, Result, packing};

/// Images that are kept at most, and bytes of all their ranges, packed.
const MOST: i64 = 2000;
const LARGEST: i64 = 256 << 20;

/// What the ledger knows of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ImageRecord {
    /// Where it came from when it was used last, without secrets.
    pub name: String,
    /// SHA-256 of the decoded image.
    pub sha256: String,
    /// SHA-256 of the source as stored, when it was used last.
    pub source_sha256: Option<String>,
    /// Decoded length, bytes.
    pub length: u64,
    /// When it was used first: RFC 3339, UTC.
    pub first_used: String,
    /// When it was used last: RFC 3339, UTC.
    pub last_used: String,
    /// Jobs that wrote or read it.
    pub jobs: u64,
}

const NOTE: &str = "
INSERT INTO images (sha256, source_sha256, name, length, first_used, last_used, jobs, packed_bytes, ranges)
VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1, ?6, ?7)
ON CONFLICT (sha256) DO UPDATE SET
    name = iif(excluded.last_used >= last_used, excluded.name, name),
    source_sha256 = iif(excluded.last_used >= last_used, excluded.source_sha256, source_sha256),
    first_used = min(first_used, excluded.first_used),
    last_used = max(last_used, excluded.last_used),
    jobs = jobs + 1";

/// Adds the images of a receipt that says they are on a medium, or were read from one.
pub(crate) fn note_images(transaction: &Transaction<'_>, receipt: &Receipt) -> rusqlite::Result<()> {
    if !matches!(receipt.verdict, Verdict::Proven | Verdict::Written) {
        return Ok(());
    }
    let first = receipt.medium.iter().map(|medium| (&receipt.image, medium));
    let further = receipt.further.iter().filter_map(|it| Some((&it.image, it.medium.as_ref()?)));
    for (image, medium) in first.chain(further) {
        note(transaction, receipt, image, medium)?;
    }
    Ok(())
}

fn note(
    transaction: &Transaction<'_>,
    receipt: &Receipt,
    image: &ImageFacts,
    medium: &MediumFacts,
) -> rusqlite::Result<()> {
    let (Some(sha256), Some(length)) = (&image.decoded_sha256, image.decoded_length) else { return Ok(()) };
    if medium.ranges.iter().map(|range| range.length).sum::<u64>() != length {
        return Ok(());
    }
    let ranges = packing::packed(&ranges(medium)).map_err(packing::refused)?;
    let row = params![
        sha256,
        image.source_sha256,
        image.source,
        signed(length),
        receipt.begun,
        signed(ranges.len() as u64),
        ranges
    ];
    transaction.execute(NOTE, row).map(drop)
}

fn ranges(medium: &MediumFacts) -> Vec<KnownRange> {
    let range = |range: &flasher_core::flash::RangeFacts| KnownRange {
        offset: range.offset,
        length: range.length,
        kind: range.kind,
        sha256: range.sha256.clone(),
    };
    medium.ranges.iter().map(range).collect()
}

/// Lets go what was used longest ago.
pub(crate) fn trim(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM images WHERE id NOT IN (
             SELECT id FROM (
                 SELECT id, sum(packed_bytes) OVER (ORDER BY last_used DESC, id DESC) AS newer FROM images
                 ORDER BY last_used DESC, id DESC LIMIT ?1)
             WHERE newer <= ?2)",
        [MOST, LARGEST],
    )?;
    Ok(())
}

impl Ledger {
    /// All images, those used last first. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn images(&self) -> Result<Listed<ImageRecord>> {
        let images = self.read(|connection| {
            let order = "SELECT name, sha256, source_sha256, length, first_used, last_used, jobs FROM images \
                         ORDER BY last_used DESC, id DESC";
            columns::listed(&mut connection.prepare(order)?, [], record)
        })?;
        Ok(images.unwrap_or_default())
    }

    /// Images with all their ranges, those used last first, at most so many. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn known_images(&self, most: u32) -> Result<Listed<KnownImage>> {
        let images = self.read(|connection| {
            let order =
                "SELECT name, sha256, length, ranges FROM images ORDER BY last_used DESC, id DESC LIMIT ?1";
            columns::listed(&mut connection.prepare(order)?, [most], known)
        })?;
        Ok(images.unwrap_or_default())
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<ImageRecord> {
    Ok(ImageRecord {
        name: row.get(0)?,
        sha256: row.get(1)?,
        source_sha256: row.get(2)?,
        length: number(row, 3)?,
        first_used: row.get(4)?,
        last_used: row.get(5)?,
        jobs: number(row, 6)?,
    })
}

fn known(row: &Row<'_>) -> rusqlite::Result<KnownImage> {
    let ranges: Vec<u8> = row.get(3)?;
    let ranges =
        packing::unpacked(&ranges).and_then(|text| serde_json::from_str(&text).map_err(std::io::Error::from));
    let unreadable = |why: std::io::Error| {
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Blob, why.into())
    };
    Ok(KnownImage {
        name: row.get(0)?,
        sha256: row.get(1)?,
        length: number(row, 2)?,
        ranges: ranges.map_err(unreadable)?,
    })
}
