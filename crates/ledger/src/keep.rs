//! Taking a receipt in: its row, what it says of its media, and what waited in the inbox.

use std::fs;
use std::path::PathBuf;

use flasher_core::flash::{JobKind, MediumFacts, ZerosBy};
use flasher_core::{Class, Receipt, Step, Verdict};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::columns::{signed, word};
use crate::medium::{self, MediumKey};
use crate::{Ledger, LedgerError, Result, board, bounds, image, packing};

/// Fewer bytes, or a shorter time, say nothing about a rate.
const RATE_BYTES: u64 = 16 << 20;
/// Seconds.
const RATE_SECONDS: f64 = 1.0;

/// Where a receipt is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptPlace {
    /// In the ledger.
    Job {
        /// Its number there.
        id: i64,
        /// The name that the ledger before it was given, which could not be read.
        set_aside: Option<PathBuf>,
    },
    /// In the inbox, because the ledger could not take it.
    Waiting {
        /// The receipt's file.
        file: PathBuf,
        /// Why the ledger could not take it.
        why: String,
    },
}

impl Ledger {
    /// Keeps a receipt. It is on the disk when this comes back. Blocks, up to ten seconds when another process writes.
    ///
    /// # Errors
    /// When neither the ledger nor the inbox can take it.
    pub fn keep(&self, receipt: &Receipt) -> Result<ReceiptPlace> {
        match self.keep_in_ledger(receipt) {
            Ok(kept) => Ok(kept),
            Err(error) => {
                let inbox = self.inbox();
                match inbox.keep(receipt) {
                    Ok(file) => Ok(ReceiptPlace::Waiting { file, why: error.to_string() }),
                    // The ledger's own trouble comes first: people can mend that.
                    Err(_) => Err(error),
                }
            }
        }
    }

    fn keep_in_ledger(&self, receipt: &Receipt) -> Result<ReceiptPlace> {
        match self.take(receipt) {
            Ok(id) => Ok(ReceiptPlace::Job { id, set_aside: None }),
            Err(error) if error.is_damage() => {
                let set_aside = self.set_aside()?;
                Ok(ReceiptPlace::Job { id: self.take(receipt)?, set_aside })
            }
            Err(error) => Err(error),
        }
    }

    /// Takes in a receipt, after those that wait. Gives the receipt's number.
    fn take(&self, receipt: &Receipt) -> Result<i64> {
        let mut connection = self.open()?;
        let waiting = self.inbox().waiting();
        let mut take = || {
            // One writer at a time from the beginning, so that none has read what another one changes.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (_, waited) in &waiting {
                insert(&transaction, waited)?;
            }
            let id = insert(&transaction, receipt)?;
            bounds::trim(&transaction, bounds::BOUNDS)?;
            image::trim(&transaction)?;
            board::trim(&transaction)?;
            transaction.commit()?;
            Ok(id)
        };
        let id = take().map_err(|why| self.error(why))?;
        for (file, _) in waiting {
            fs::remove_file(&file).map_err(|why| LedgerError::Folder { path: file, why })?;
        }
        bounds::give_back(&connection).map_err(|why| self.error(why))?;
        Ok(id)
    }
}

/// Adds a receipt, and what it says of its media; once, however often it is given. Gives its number.
fn insert(transaction: &Transaction<'_>, receipt: &Receipt) -> rusqlite::Result<i64> {
    let known = transaction
        .query_row("SELECT id FROM receipts WHERE sha256 = ?1", [&receipt.sha256], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    let medium = note_media(transaction, receipt)?;
    let bytes: u64 = medium::of_receipt(receipt).map(written).sum();
    image::note_images(transaction, receipt)?;
    board::note_board(transaction, receipt)?;
    let json = packing::packed(receipt).map_err(packing::refused)?;
    let (site, failure) = (&receipt.site, receipt.failure.as_ref());
    transaction.execute(
        "INSERT INTO receipts (sha256, begun, seconds, job, verdict, class, cause, exporter, node, host, user, source, image, \
         target, medium, bytes_written, packed_bytes, json) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        params![
            receipt.sha256,
            receipt.begun,
            receipt.seconds,
            word(&receipt.job),
            word(&receipt.verdict),
            failure.map(|it| word(&it.class)),
            failure.map(|it| &it.cause),
            site.exporter,
            site.node,
            site.host,
            site.user,
            receipt.image.source,
            receipt.image.decoded_sha256,
            receipt.medium.as_ref().map(|it| &it.target),
            medium,
            signed(bytes),
            signed(json.len() as u64),
            json,
        ],
    )?;
    Ok(transaction.last_insert_rowid())
}

/// Adds to each medium of a receipt what it says of it. Gives the first one's row.
fn note_media(transaction: &Transaction<'_>, receipt: &Receipt) -> rusqlite::Result<Option<i64>> {
    let mut noted: Vec<(MediumKey, i64)> = Vec::new();
    for facts in medium::of_receipt(receipt) {
        let key = medium::key(&receipt.site, facts);
        match noted.iter().find(|(it, _)| *it == key) {
            // A further partition of a medium that has been counted as part of this job.
            Some((_, row)) => add_bytes(transaction, *row, written(facts))?,
            None => {
                let row = note_medium(transaction, receipt, facts, &key)?;
                noted.push((key, row));
            }
        }
    }
    Ok(noted.first().map(|(_, row)| *row))
}

fn add_bytes(connection: &Connection, row: i64, bytes: u64) -> rusqlite::Result<()> {
    let order = "UPDATE media SET bytes_written = bytes_written + ?2, proven_image = NULL WHERE id = ?1";
    connection.execute(order, params![row, signed(bytes)]).map(drop)
}

/// What is added up is added up here; what is a state is that of the newest receipt.
const NOTE_MEDIUM: &str = "
INSERT INTO media (key, identified_by, name, size, place, first_seen, last_seen, jobs, bytes_written, proven_image, proven_at,
    last_write_rate, slowest_write_rate, ranges_read_back_wrong, failed_jobs, fake_capacity_jobs, worn_percent, spare_blocks)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 1, ?7, ?8, ?9, ?10, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (key) DO UPDATE SET
    name = excluded.name,
    size = excluded.size,
    place = excluded.place,
    last_seen = max(last_seen, excluded.last_seen),
    jobs = jobs + 1,
    bytes_written = bytes_written + excluded.bytes_written,
    proven_image = iif(?16, excluded.proven_image, proven_image),
    proven_at = iif(?16, excluded.proven_at, proven_at),
    last_write_rate = coalesce(excluded.last_write_rate, last_write_rate),
    slowest_write_rate = min(coalesce(slowest_write_rate, excluded.slowest_write_rate),
        coalesce(excluded.slowest_write_rate, slowest_write_rate)),
    ranges_read_back_wrong = ranges_read_back_wrong + excluded.ranges_read_back_wrong,
    failed_jobs = failed_jobs + excluded.failed_jobs,
    fake_capacity_jobs = fake_capacity_jobs + excluded.fake_capacity_jobs,
    worn_percent = coalesce(excluded.worn_percent, worn_percent),
    spare_blocks = coalesce(excluded.spare_blocks, spare_blocks)
RETURNING id";

fn note_medium(
    transaction: &Transaction<'_>,
    receipt: &Receipt,
    facts: &MediumFacts,
    key: &MediumKey,
) -> rusqlite::Result<i64> {
    let image = proven_image(receipt, facts);
    let bytes = written(facts);
    let by_medium = receipt.class() == Some(Class::Medium);
    let row = params![
        key.key,
        word(&key.identified_by),
        key.name,
        signed(facts.size),
        key.place,
        receipt.begun,
        signed(bytes),
        image,
        image.map(|_| &receipt.ended),
        write_rate(receipt, bytes),
        signed(wrong_ranges(facts)),
        i64::from(by_medium),
        i64::from(facts.holds_less.is_some()),
        medium::worn_percent(facts),
        medium::spare_blocks(facts),
        may_have_changed(receipt, facts),
    ];
    transaction.query_row(NOTE_MEDIUM, row, |row| row.get(0))
}

/// The image that the whole medium was proven to hold.
fn proven_image<'r>(receipt: &'r Receipt, facts: &MediumFacts) -> Option<&'r str> {
    let is_whole = receipt.job == JobKind::Flash && facts.partition.is_none() && receipt.further.is_empty();
    let image = receipt.image.decoded_sha256.as_deref();
    image.filter(|_| is_whole && receipt.verdict == Verdict::Proven)
}

/// Whether something was written, or may have been.
fn may_have_changed(receipt: &Receipt, facts: &MediumFacts) -> bool {
    let left = receipt.failure.as_ref().and_then(|it| it.medium);
    receipt.job == JobKind::Flash
        && (written(facts) > 0
            || receipt.verdict != Verdict::Failed
            || left != Some(flasher_core::flash::MediumState::Untouched))
}

/// Bytes that went onto the medium; what was discarded costs it nothing.
fn written(facts: &MediumFacts) -> u64 {
    let zeros = if facts.zeros_by == Some(ZerosBy::Discard) { 0 } else { facts.zeros_written };
    facts.data_written.saturating_add(zeros)
}

/// Bytes a second of a write that is long enough to say something: one image, one attempt.
fn write_rate(receipt: &Receipt, bytes: u64) -> Option<f64> {
    let seconds = *receipt.steps.get(&Step::Write)?;
    let counts = receipt.verdict == Verdict::Proven && receipt.further.is_empty() && receipt.attempts == 1;
    (counts && bytes >= RATE_BYTES && seconds >= RATE_SECONDS).then(|| bytes as f64 / seconds)
}

/// Ranges that held other bytes than were written, also those that were right after a second writing.
fn wrong_ranges(facts: &MediumFacts) -> u64 {
    let differs = |read: &Option<String>, image: &str| read.as_deref().is_some_and(|read| read != image);
    let wrong = facts.ranges.iter().filter(|it| it.writes > 1 || differs(&it.read_back, &it.sha256));
    wrong.count() as u64
}
