//! Using the ledger from a command that reads it, and what its errors mean to the user.

use flasher_core::{Class, Error, Result};
use ledger::{Ledger, LedgerError};

use crate::args::ledger::LedgerFileArgs;
use crate::screen::Screen;

/// Reads from the ledger without blocking the runtime.
///
/// # Errors
/// When there is no place for a ledger, or it cannot be read.
pub(super) async fn read<T: Send + 'static>(
    args: &LedgerFileArgs,
    read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T> {
    let ledger = args.ledger().ok_or_else(|| {
        Error::config("this user has no home, so there is no ledger")
            .help("set `HOME` or `XDG_STATE_HOME`, or name it: `--ledger FILE`")
    })?;
    match tokio::task::spawn_blocking(move || read(&ledger)).await {
        Ok(read) => read.map_err(error),
        Err(ended) => Err(Error::new(Class::Internal, "a worker thread ended unexpectedly").because(ended)),
    }
}

/// Says how many rows of a list are damaged, when some are.
pub(super) fn warn(unreadable: usize, what: &str, screen: &Screen) {
    if unreadable > 0 {
        screen.aside(&format!("warning: the ledger is damaged: {unreadable} of its {what} cannot be read\n"));
    }
}

/// The ledger's error with its class and what to do.
fn error(error: LedgerError) -> Error {
    let text = error.to_string();
    match error {
        LedgerError::NoJob(_) => Error::config(text),
        LedgerError::Newer(_) => Error::config(text),
        LedgerError::Folder { .. } => {
            Error::infrastructure(text).help("look at its permissions and its file system")
        }
        LedgerError::SetAside { .. } => Error::infrastructure(text).help(
            "nothing is needed for the next job; keep the file if you want what can still be read of it",
        ),
        LedgerError::Database { .. } => {
            Error::infrastructure(text).help("look at its permissions, and whether its file system is full")
        }
        LedgerError::Receipt { .. } => {
            Error::infrastructure(text).help("the ledger is damaged; its other jobs may still be read")
        }
    }
}
