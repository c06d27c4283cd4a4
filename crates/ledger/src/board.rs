//! Boards: what was done on each, by exporter, node and machine.

use flasher_core::{Receipt, Verdict};
use rusqlite::{Row, Transaction, params};
use schemars::JsonSchema;
use serde::Serialize;

use crate::columns::{self, Listed, number, signed, value, word};
use crate::{Ledger, Result};

/// Boards that are kept at most.
const MOST: i64 = 10_000;

/// What the ledger knows of a board.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct BoardRecord {
    /// The exporter's name.
    pub exporter: Option<String>,
    /// The flasher's node.
    pub node: Option<String>,
    /// The machine that ran its jobs.
    pub host: Option<String>,
    /// When its first job began: RFC 3339, UTC.
    pub first_job: String,
    /// When its last job began: RFC 3339, UTC.
    pub last_job: String,
    /// Jobs in all.
    pub jobs: u64,
    /// Jobs that failed.
    pub failed_jobs: u64,
    /// Seconds that all of them took.
    pub seconds: f64,
    /// How the last job ended.
    pub last_verdict: Verdict,
    /// Where the image of the last job came from, without secrets.
    pub last_image: String,
}

const NOTE: &str = "
INSERT INTO boards (exporter, node, host, first_job, last_job, jobs, failed_jobs, seconds, last_verdict, last_image)
VALUES (?1, ?2, ?3, ?4, ?4, 1, ?5, ?6, ?7, ?8)
ON CONFLICT (exporter, node, host) DO UPDATE SET
    last_verdict = iif(excluded.last_job >= last_job, excluded.last_verdict, last_verdict),
    last_image = iif(excluded.last_job >= last_job, excluded.last_image, last_image),
    first_job = min(first_job, excluded.first_job),
    last_job = max(last_job, excluded.last_job),
    jobs = jobs + 1,
    failed_jobs = failed_jobs + excluded.failed_jobs,
    seconds = seconds + excluded.seconds";

/// Adds a receipt to what is known of its board.
pub(crate) fn note_board(transaction: &Transaction<'_>, receipt: &Receipt) -> rusqlite::Result<()> {
    let site = &receipt.site;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let row = params![
        text(&site.exporter),
        text(&site.node),
        text(&site.host),
        receipt.begun,
        signed(u64::from(receipt.verdict == Verdict::Failed)),
        receipt.seconds,
        word(&receipt.verdict),
        receipt.image.source,
    ];
    transaction.execute(NOTE, row).map(drop)
}

/// Lets go the boards whose last job is longest ago.
pub(crate) fn trim(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM boards WHERE id NOT IN (SELECT id FROM boards ORDER BY last_job DESC, id DESC LIMIT ?1)",
        [MOST],
    )?;
    Ok(())
}

impl Ledger {
    /// All boards, those used last first. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn boards(&self) -> Result<Listed<BoardRecord>> {
        let boards = self.read(|connection| {
            let order = "SELECT exporter, node, host, first_job, last_job, jobs, failed_jobs, seconds, last_verdict, \
                         last_image FROM boards ORDER BY last_job DESC, id DESC";
            columns::listed(&mut connection.prepare(order)?, [], record)
        })?;
        Ok(boards.unwrap_or_default())
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<BoardRecord> {
    let text = |column| row.get(column).map(|text: String| Some(text).filter(|text| !text.is_empty()));
    Ok(BoardRecord {
        exporter: text(0)?,
        node: text(1)?,
        host: text(2)?,
        first_job: row.get(3)?,
        last_job: row.get(4)?,
        jobs: number(row, 5)?,
        failed_jobs: number(row, 6)?,
        seconds: row.get(7)?,
        last_verdict: value(row, 8)?,
        last_image: row.get(9)?,
    })
}
