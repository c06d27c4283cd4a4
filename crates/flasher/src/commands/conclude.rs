//! How a job ends for its user: the receipt is kept, the verdict printed, and the exit code follows from both.

use std::io;

use flasher_core::{Receipt, Result, Verdict, safe};
use ledger::{Ledger, ReceiptPlace};

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
    ledger: Option<&Ledger>,
    screen: &Screen,
) -> Result<u8, Failure> {
    let KeptReceipt { file, in_ledger } = keep(receipt, receipt_file, ledger, screen);
    let path = file.as_ref().ok().and_then(Option::as_deref);
    let told = tell(receipt, path, in_ledger.as_deref(), screen);
    let code = receipt.exit_code();
    match (file, told) {
        (Err(error), _) if code == 0 => Err(error.into()),
        (Err(error), _) => {
            screen.complain(|paint| trouble::error(&error, paint));
            Ok(code)
        }
        (Ok(_), Err(error)) if code == 0 => Err(error.into()),
        (Ok(_), _) => Ok(code),
    }
}

/// Where a receipt is kept.
pub(super) struct KeptReceipt {
    /// The file that was asked for; an error when it could not be written.
    pub(super) file: Result<Option<String>>,
    /// How the ledger shows it.
    pub(super) in_ledger: Option<String>,
}

impl KeptReceipt {
    /// The file that was asked for, else how the ledger shows it.
    pub(super) fn place(&self) -> Option<&str> {
        self.file.as_ref().ok().and_then(Option::as_deref).or(self.in_ledger.as_deref())
    }
}

/// Keeps the receipt in its file and in the ledger.
pub(super) fn keep(
    receipt: &Receipt,
    receipt_file: Option<ReceiptFile>,
    ledger: Option<&Ledger>,
    screen: &Screen,
) -> KeptReceipt {
    let file = receipt_file.map(|file| file.write(receipt).map(|path| shown(&path))).transpose();
    let in_ledger = ledger.and_then(|ledger| note(ledger, receipt, screen));
    KeptReceipt { file, in_ledger }
}

/// Keeps a receipt in the ledger, and says how it is shown. That it cannot be kept there changes nothing about the job.
fn note(ledger: &Ledger, receipt: &Receipt, screen: &Screen) -> Option<String> {
    let warn = |text: String| screen.aside(&format!("warning: {}\n", safe::line(&text)));
    match ledger.keep(receipt) {
        Ok(ReceiptPlace::Job { id, set_aside }) => {
            if let Some(file) = set_aside {
                let (file, aside) = (shown(ledger.file()), shown(&file));
                warn(format!(
                    "the ledger `{file}` could not be read; it is now `{aside}`, and a new one was begun"
                ));
            }
            Some(format!("flasher history show {id}"))
        }
        Ok(ReceiptPlace::Waiting { file, why }) => {
            warn(format!("{why}; the receipt waits for it in `{}`", shown(&file)));
            Some(shown(&file))
        }
        Err(error) => {
            warn(format!("no receipt was kept: {error}"));
            None
        }
    }
}

/// Prints the verdict, and where the receipt is: the file that was asked for, else how the ledger shows it.
fn tell(receipt: &Receipt, kept: Option<&str>, in_ledger: Option<&str>, screen: &Screen) -> io::Result<()> {
    if let Some(file) = kept.filter(|_| screen.is_json()) {
        screen.message(&Message::Receipt { file: file.to_owned() })?;
    }
    let kept = kept.or(in_ledger);
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
