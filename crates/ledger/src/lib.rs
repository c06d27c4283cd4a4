//! The ledger: what this machine remembers of its jobs and media, in one SQLite file.
//!
//! It never decides how a job ends. A receipt that it cannot take waits as a file in the [`Inbox`] beside it and is taken in by the
//! next job. A ledger that cannot be read is set aside, and a new one is begun.
//!
//! Several processes may use it at once. Each call opens the file, does one transaction, and closes it; all calls block.

mod board;
mod bounds;
mod columns;
mod error;
mod history;
mod image;
mod inbox;
mod keep;
mod medium;
mod open;
mod packing;
mod schema;

use std::path::{Path, PathBuf};

pub use board::BoardRecord;
pub use columns::Listed;
pub use error::{LedgerError, Result};
pub use history::{Filter, HistoryEntry};
pub use image::ImageRecord;
pub use inbox::Inbox;
pub use keep::ReceiptPlace;
pub use medium::{Health, IdentifiedBy, MediumRecord};

/// The ledger of one user, by its file. Nothing is opened until it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    file: PathBuf,
}

impl Ledger {
    /// The ledger of this user: `ledger.sqlite` in the state folder ([`flasher_core::state_folder`]); none for a user without a home.
    pub fn of_user() -> Option<Self> {
        flasher_core::state_folder::of_user().map(|folder| Self::at(folder.join("ledger.sqlite")))
    }

    /// The ledger in `file`, which is made, with its folder, when a receipt is kept.
    pub fn at(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into() }
    }

    /// Its file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Where receipts wait that the ledger could not take: `receipts` beside its file.
    pub fn inbox(&self) -> Inbox {
        Inbox::at(self.file.with_file_name("receipts"))
    }
}

#[cfg(test)]
mod tests;
