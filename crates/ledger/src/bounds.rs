//! How much the ledger keeps: so many receipts, so many bytes, and so old ones.

use rusqlite::{Connection, Transaction};

/// What is kept at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Receipts.
    pub(crate) receipts: i64,
    /// Bytes of all receipts, packed.
    pub(crate) bytes: i64,
    /// Days, counted back from the newest receipt.
    pub(crate) days: i64,
    /// The newest receipts stay, however old they are: a clock that was wrong once must not empty the ledger.
    pub(crate) stay: i64,
}

/// The bounds of every ledger. A receipt of a 7 GiB image takes some 100 KiB packed.
pub(crate) const BOUNDS: Bounds = Bounds { receipts: 50_000, bytes: 1 << 30, days: 3 * 365, stay: 1000 };
/// Pages given back after one job, so that none waits for it long.
const PAGES: u32 = 1000;

/// Lets the oldest receipts go.
pub(crate) fn trim(transaction: &Transaction<'_>, bounds: Bounds) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM receipts WHERE id <= (SELECT max(id) FROM receipts) - ?1
         AND begun < (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', max(begun), '-' || ?2 || ' days') FROM receipts)",
        [bounds.stay, bounds.days],
    )?;
    transaction
        .execute("DELETE FROM receipts WHERE id <= (SELECT max(id) FROM receipts) - ?1", [bounds.receipts])?;
    let total: i64 =
        transaction.query_row("SELECT coalesce(sum(packed_bytes), 0) FROM receipts", [], |row| row.get(0))?;
    if total > bounds.bytes {
        // The newest stays in any case.
        transaction.execute(
            "DELETE FROM receipts WHERE id < (SELECT max(id) FROM receipts) AND id IN (
                 SELECT id FROM (SELECT id, sum(packed_bytes) OVER (ORDER BY id DESC) AS newer FROM receipts) WHERE newer > ?1)",
            [bounds.bytes],
        )?;
    }
    Ok(())
}

/// Gives room that was freed back to the file system.
pub(crate) fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!("PRAGMA incremental_vacuum ({PAGES})"))
}
