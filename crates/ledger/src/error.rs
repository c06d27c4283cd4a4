//! Why the ledger could not be used.

use std::io;
use std::path::PathBuf;

/// A result of the ledger.
pub type Result<T, E = LedgerError> = std::result::Result<T, E>;

/// Why the ledger could not be used. No job fails for it.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A newer version of this program has written it.
    #[error(
        "the ledger `{}` was written by a newer version of flasher: use that version; receipts of this one wait as files meanwhile",
        .0.display()
    )]
    Newer(PathBuf),
    /// Its folder cannot be made or read, or it cannot be set aside.
    #[error("`{}` cannot be used: {why}", .path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// SQLite refused what was asked of it.
    #[error("the ledger `{}` cannot be used: {why}", .file.display())]
    Database {
        /// The ledger's file.
        file: PathBuf,
        /// What SQLite says.
        why: rusqlite::Error,
    },
    /// It could not be read. It has another name now, and the next job begins a new one.
    #[error("the ledger `{}` could not be read: it is now `{}`, and the next job begins a new one", .file.display(), .aside.display())]
    SetAside {
        /// The ledger's file.
        file: PathBuf,
        /// The name that it has now.
        aside: PathBuf,
    },
    /// There is no job of this number.
    #[error("the ledger has no job {0}: `flasher history` lists the jobs it has")]
    NoJob(i64),
    /// A receipt in it cannot be read any more.
    #[error("the receipt of job {job} cannot be read: {why}")]
    Receipt {
        /// The job's number.
        job: i64,
        /// What is wrong with it.
        why: String,
    },
}

impl LedgerError {
    /// Whether the file is no ledger, or a damaged one: then it is set aside.
    pub(crate) fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let Self::Database { why, .. } = self else { return false };
        // Our statements are right, so one that SQLite does not understand meets tables that are not ours.
        let is_not_ours = matches!(why, rusqlite::Error::SqlInputError { .. });
        is_not_ours || matches!(why.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
    }
}
