//! What was done: the list of jobs, and the receipt of one.

use flasher_core::flash::JobKind;
use flasher_core::{Class, Receipt, Verdict};
use rusqlite::{OptionalExtension, Row, params};
use schemars::JsonSchema;
use serde::Serialize;

use crate::columns::{self, Listed, number, optional, value};
use crate::{Ledger, LedgerError, Result, packing};

/// Which jobs are asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those of this board: its exporter's name, its node, or both as `EXPORTER/NODE`.
    pub board: Option<String>,
    /// Only those that failed.
    pub failed: bool,
    /// Only those that began then or later: RFC 3339, UTC.
    pub since: Option<String>,
    /// At most so many, the newest.
    pub limit: Option<u32>,
}

/// One job of the list.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct HistoryEntry {
    /// Its number in this ledger.
    pub id: i64,
    /// When it began: RFC 3339, UTC.
    pub begun: String,
    /// Duration, seconds.
    pub seconds: f64,
    /// What it did.
    pub job: JobKind,
    /// How it ended.
    pub verdict: Verdict,
    /// Who is to blame for a failure.
    pub class: Option<Class>,
    /// What happened.
    pub cause: Option<String>,
    /// The exporter's name.
    pub exporter: Option<String>,
    /// The flasher's node.
    pub node: Option<String>,
    /// The machine that ran it.
    pub host: Option<String>,
    /// Who ran it.
    pub user: Option<String>,
    /// Where the image came from, without secrets.
    pub source: String,
    /// SHA-256 of the decoded image.
    pub image: Option<String>,
    /// The target's name in the manifest.
    pub target: Option<String>,
    /// What the medium is known by.
    pub medium: Option<String>,
    /// Bytes that were written, zeros included.
    pub bytes_written: u64,
}

const LIST: &str = "
SELECT receipts.id, begun, seconds, job, verdict, class, cause, exporter, node, host, user, source, image, target, media.key,
    receipts.bytes_written
FROM receipts LEFT JOIN media ON media.id = receipts.medium
WHERE (?1 IS NULL OR exporter = ?1 OR node = ?1 OR exporter || '/' || node = ?1)
    AND (NOT ?2 OR verdict = 'failed')
    AND (?3 IS NULL OR begun >= ?3)
ORDER BY begun DESC, receipts.id DESC LIMIT ?4";

fn entry(row: &Row<'_>) -> rusqlite::Result<HistoryEntry> {
    Ok(HistoryEntry {
        id: row.get(0)?,
        begun: row.get(1)?,
        seconds: row.get(2)?,
        job: value(row, 3)?,
        verdict: value(row, 4)?,
        class: optional(row, 5)?,
        cause: row.get(6)?,
        exporter: row.get(7)?,
        node: row.get(8)?,
        host: row.get(9)?,
        user: row.get(10)?,
        source: row.get(11)?,
        image: row.get(12)?,
        target: row.get(13)?,
        medium: row.get(14)?,
        bytes_written: number(row, 15)?,
    })
}

impl Ledger {
    /// Jobs, the newest first. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn history(&self, filter: &Filter) -> Result<Listed<HistoryEntry>> {
        let entries = self.read(|connection| {
            // SQLite takes a negative limit as none.
            let limit = filter.limit.map_or(-1, i64::from);
            let asked = params![filter.board, filter.failed, filter.since, limit];
            let mut statement = connection.prepare(LIST)?;
            columns::listed(&mut statement, asked, entry)
        })?;
        Ok(entries.unwrap_or_default())
    }

    /// The receipt of the job of this number. Blocks.
    ///
    /// # Errors
    /// When there is no such job, or its receipt is damaged.
    pub fn receipt(&self, job: i64) -> Result<Receipt> {
        let packed: Option<Vec<u8>> = self
            .read(|connection| {
                let json = "SELECT json FROM receipts WHERE id = ?1";
                connection.query_row(json, [job], |row| row.get(0)).optional()
            })?
            .flatten();
        let packed = packed.ok_or(LedgerError::NoJob(job))?;
        let unreadable = |why: String| LedgerError::Receipt { job, why };
        let text = packing::unpacked(&packed).map_err(|error| unreadable(error.to_string()))?;
        Receipt::read(&text).map_err(|error| unreadable(error.cause()))
    }
}
