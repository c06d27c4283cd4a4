//! Finds the receipts, the transcripts that belong to them, and recordings.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flasher_core::flash::TranscriptFacts;
use flasher_core::{Class, Error, Result};
use job_recording::{FileError, Recording};
use report::{ConsoleOfJob, ConsoleText, LONGEST_CONSOLE, ReportedJob};
use sha2::{Digest, Sha256};

use super::args::ReportArgs;
use crate::commands::ledger_use::{self, LedgerSource};
use crate::failure::Failure;
use crate::receipt_file;
use crate::render::units::shown;

/// About so many bytes of console are shown in all, however many receipts there are.
const CONSOLE_BYTES: usize = 400_000;

/// The jobs that `args` names, in that order.
///
/// # Errors
/// The first receipt that cannot be read, by its name.
pub(super) async fn jobs(args: &ReportArgs) -> Result<Vec<ReportedJob>, Failure> {
    let most = CONSOLE_BYTES / args.receipts.len().max(1);
    let mut jobs = Vec::new();
    for place in &args.receipts {
        let (name, receipt) = match job_id(place) {
            Some(id) => {
                let from = LedgerSource { args: &args.ledger, exporter: None };
                let receipt = ledger_use::read(from, move |ledger| ledger.receipt(id)).await?;
                (format!("job {id} of the ledger"), receipt)
            }
            None => {
                let file = place.clone();
                if let Some(recorded) = apart(move || recorded(&file, most)).await? {
                    let job = recorded?;
                    if args.attest.is_some() {
                        return Err(not_attested(place).into());
                    }
                    jobs.push(job);
                    continue;
                }
                let file = place.clone();
                (shown(place), apart(move || receipt_file::read(&file)).await??)
            }
        };
        let folder = place.parent().map(Path::to_path_buf);
        let job = apart(move || {
            let console = console(receipt.transcript.as_ref(), folder.as_deref(), most);
            ReportedJob::new(&name, receipt, console)
        });
        jobs.push(job.await?);
    }
    Ok(jobs)
}

/// The job of a file that is a recording; none of any other file.
fn recorded(file: &Path, most: usize) -> Option<Result<ReportedJob>> {
    let recording = match Recording::read(file) {
        Ok(recording) => recording,
        // What cannot be read, or is something else, may be a receipt.
        Err(FileError::NoRecording(_) | FileError::Io(..) | FileError::TooLong(_)) => return None,
        Err(error) => return Some(Err(Error::config(error.to_string()).because(error))),
    };
    let Some(receipt) = recording.receipt() else {
        let text = format!("the job of the recording `{}` did not fail", shown(file));
        return Some(Err(Error::config(text).help("give the receipt of that job: it has what was proven")));
    };
    let console = ConsoleText::read(recording.transcript().as_bytes(), most);
    Some(Ok(ReportedJob::new(&shown(file), receipt, ConsoleOfJob::Here(console))))
}

fn not_attested(file: &Path) -> Error {
    Error::config(format!("`{}` is a recording, and nothing in it is proven: it is not signed", shown(file)))
        .help("sign the receipt of the job")
}

/// Does what may block on a thread of its own.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|ended| Error::new(Class::Internal, "a worker thread ended unexpectedly").because(ended))
}

/// A number is a job of the ledger, unless a file has that name.
fn job_id(place: &Path) -> Option<i64> {
    let text = place.to_str()?;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !place.exists()).then(|| text.parse().ok()).flatten()
}

/// The console of a job: its transcript where the receipt says it is, or beside the receipt, when it is still the one that the
/// receipt has the digest of.
fn console(transcript: Option<&TranscriptFacts>, folder: Option<&Path>, most: usize) -> ConsoleOfJob {
    let Some(transcript) = transcript else { return ConsoleOfJob::None };
    let said = PathBuf::from(&transcript.file);
    let beside = folder.and_then(|folder| Some(folder.join(said.file_name()?)));
    let mut why = "is not here any more";
    for place in [Some(said), beside].into_iter().flatten() {
        // A receipt may name anything; a device or a pipe is never opened.
        if !std::fs::metadata(&place).is_ok_and(|metadata| metadata.is_file()) {
            continue;
        }
        why = match bounded(&place, LONGEST_CONSOLE) {
            Ok(Some(bytes)) if hex(&bytes) == transcript.sha256 => {
                return ConsoleOfJob::Here(ConsoleText::read(&bytes, most));
            }
            Ok(Some(_)) => "was changed after the job",
            Ok(None) => "is longer than 64 MiB, and is not shown",
            Err(_) => "cannot be read",
        };
    }
    ConsoleOfJob::Lost(format!("the transcript `{}` {why}", transcript.file))
}

/// The whole of a file, or none when it is longer than `most` bytes.
pub(super) fn bounded(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
