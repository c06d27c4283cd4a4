//! Using the ledger from a command that reads it, and what its errors mean to the user.

use std::path::Path;

use flasher_core::identify::KnownImage;
use flasher_core::{Class, Error, IdentifyJob, Result, safe};
use ledger::{Ledger, LedgerError};

use crate::args::ledger::LedgerFileArgs;
use crate::failure::Failure;
use crate::screen::Screen;

/// Images of the ledger that a medium is compared with, those used last.
const KNOWN: u32 = 200;

/// Reads from the ledger without blocking the runtime.
///
/// # Errors
/// When there is no place for a ledger, or it cannot be read.
pub(super) async fn read<T: Send + 'static>(
    from: LedgerSource<'_>,
    read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, Failure> {
    let ledger = from.args.ledger(from.exporter)?.ok_or_else(|| {
        Error::config("there is no ledger: the exporter YAML says `ledger: off`, or this user has no home")
            .help("name it: `--ledger FILE`; or set `HOME` or `XDG_STATE_HOME`")
    })?;
    Ok(blocking(move || read(&ledger)).await?)
}

/// Where a ledger is looked for.
#[derive(Clone, Copy)]
pub(super) struct LedgerSource<'a> {
    pub(super) args: &'a LedgerFileArgs,
    pub(super) exporter: Option<&'a Path>,
}

/// What a ledger says, without blocking the runtime.
///
/// # Errors
/// Those of the ledger, with their class.
pub(super) async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(read).await {
        Ok(read) => read.map_err(error),
        Err(ended) => Err(Error::new(Class::Internal, "a worker thread ended unexpectedly").because(ended)),
    }
}

/// Gives a job that names no image those that the ledger knows, beside those it knows already. Without them a medium is looked at all the same.
pub(super) async fn bring_known(job: &mut IdentifyJob, ledger: &Ledger, screen: &Screen) {
    if job.image.is_some() {
        return;
    }
    let ledger = ledger.clone();
    match blocking(move || ledger.known_images(KNOWN)).await {
        Ok(listed) => {
            warn(listed.unreadable, "images", screen);
            let is_new = |image: &KnownImage| job.known.iter().all(|known| known.sha256 != image.sha256);
            let new: Vec<KnownImage> = listed.rows.into_iter().filter(is_new).collect();
            job.known.extend(new);
        }
        Err(error) => {
            screen.aside(&format!("warning: no image is known: {}\n", safe::one_line(&error.cause())))
        }
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
