//! The tables, and how an older ledger becomes a newer one. A migration that was released is never changed.

use std::sync::LazyLock;

use rusqlite_migration::{M, Migrations};

/// Each version's change, in order. Their number is the file's `user_version`.
pub(crate) static MIGRATIONS: LazyLock<Migrations<'static>> =
    LazyLock::new(|| Migrations::new(vec![M::up(V1), M::up(V2)]));

/// `receipts.json` is the receipt itself, packed with zstd. What stands in columns is only what lists are made of; the receipt
/// decides. `media` has what stays true when old receipts have gone.
const V1: &str = "
CREATE TABLE media (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    identified_by TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    place TEXT NOT NULL,
    first_seen TEXT NOT NULL,
    last_seen TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    bytes_written INTEGER NOT NULL,
    proven_image TEXT,
    proven_at TEXT,
    last_write_rate REAL,
    slowest_write_rate REAL,
    ranges_read_back_wrong INTEGER NOT NULL,
    failed_jobs INTEGER NOT NULL,
    fake_capacity_jobs INTEGER NOT NULL,
    worn_percent INTEGER,
    spare_blocks INTEGER
) STRICT;
CREATE TABLE receipts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256 TEXT NOT NULL UNIQUE,
    begun TEXT NOT NULL,
    seconds REAL NOT NULL,
    job TEXT NOT NULL,
    verdict TEXT NOT NULL,
    class TEXT,
    cause TEXT,
    exporter TEXT,
    node TEXT,
    host TEXT,
    user TEXT,
    source TEXT NOT NULL,
    image TEXT,
    target TEXT,
    medium INTEGER REFERENCES media (id),
    bytes_written INTEGER NOT NULL,
    packed_bytes INTEGER NOT NULL,
    json BLOB NOT NULL
) STRICT;
CREATE INDEX receipts_begun ON receipts (begun);
CREATE INDEX receipts_medium ON receipts (medium);
";

/// `images.ranges` are the ranges of an image with their digests, packed as receipts are. Text that is not known is empty in `boards`,
/// as NULL would be no key.
const V2: &str = "
CREATE TABLE images (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    source_sha256 TEXT,
    name TEXT NOT NULL,
    length INTEGER NOT NULL,
    first_used TEXT NOT NULL,
    last_used TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    packed_bytes INTEGER NOT NULL,
    ranges BLOB NOT NULL
) STRICT;
CREATE INDEX images_used ON images (last_used);
CREATE TABLE boards (
    id INTEGER PRIMARY KEY,
    exporter TEXT NOT NULL,
    node TEXT NOT NULL,
    host TEXT NOT NULL,
    first_job TEXT NOT NULL,
    last_job TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    failed_jobs INTEGER NOT NULL,
    seconds REAL NOT NULL,
    last_verdict TEXT NOT NULL,
    last_image TEXT NOT NULL,
    UNIQUE (exporter, node, host)
) STRICT;
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_are_sound() {
        MIGRATIONS.validate().unwrap();
    }
}
