//! How a job ends for its user: the receipt is kept, the verdict printed, and the exit code follows from both.

use std::io;
use std::path::PathBuf;

use flasher_core::journal::Journal;
use flasher_core::{Receipt, Verdict, safe};

use crate::failure::Failure;
use crate::receipt_file::ReceiptFile;
use crate::render::message::Message;
use crate::render::units::shown;
use crate::render::{trouble, verdict};
use crate::screen::Screen;

/// Keeps the receipt and prints the verdict. Proof that was asked for and cannot be kept is a failure.
pub(super) fn conclude(
    receipt: &Receipt,
    receipt_file: Option<ReceiptFile>,
    journal: Option<&Journal>,
    screen: &Screen,
) -> Result<u8, Failure> {
    let kept = receipt_file.map(|file| file.write(receipt)).transpose();
    let path = kept.as_ref().ok().and_then(Option::as_ref).map(|path| shown(path));
    let journaled = journal.and_then(|journal| note(journal, receipt, screen)).map(|path| shown(&path));
    let told = tell(receipt, path.as_deref(), journaled.as_deref(), screen);
    let code = receipt.exit_code();
    match (kept, told) {
        (Err(error), _) if code == 0 => Err(error.into()),
        (Err(error), _) => {
            screen.complain(|paint| trouble::error(&error, paint));
            Ok(code)
        }
        (Ok(_), Err(error)) if code == 0 => Err(error.into()),
        (Ok(_), _) => Ok(code),
    }
}

/// Keeps a receipt in the journal. That it cannot be kept there changes nothing about the job.
fn note(journal: &Journal, receipt: &Receipt, screen: &Screen) -> Option<PathBuf> {
    journal
        .keep(receipt)
        .map_err(|error| {
            let folder = shown(journal.folder());
            screen.aside(&format!(
                "warning: the receipt is not in the journal `{}`: {error}\n",
                safe::line(&folder)
            ));
        })
        .ok()
}

/// Prints the verdict, and where the receipt is: the file that was asked for, else the journal's.
fn tell(receipt: &Receipt, kept: Option<&str>, journaled: Option<&str>, screen: &Screen) -> io::Result<()> {
    if let Some(file) = kept.filter(|_| screen.is_json()) {
        screen.message(&Message::Receipt { file: file.to_owned() })?;
    }
    let kept = kept.or(journaled);
    match &receipt.failure {
        Some(failure) => screen.complain(|paint| trouble::failed(receipt, failure, kept, paint)),
        None if receipt.verdict != Verdict::Failed => {
            screen.end(|paint| verdict::good(receipt, kept, paint))?
        }
        None => {
            screen.complain(|_| {
                "error: the flash failed and its receipt names no cause; this is a bug\n".into()
            });
        }
    }
    Ok(())
}
