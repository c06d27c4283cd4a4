//! `flasher --remote … dump`: the exporter reads the medium, and this process writes the file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use exporter_wire::order::DumpOrder;
use flasher_core::{DumpJob, Error, Progress, Receipt, Result, Verdict};
use ledger::Ledger;

use super::follow::{Follower, From, bears_out};
use super::transcript::RemoteTranscript;
use super::{RemoteBoard, connect, until_its_end};
use crate::args::remote::RemoteArgs;
use crate::commands::conclude::conclude;
use crate::failure::Failure;
use crate::outputs;
use crate::receipt_file::ReceiptFile;
use crate::screen::Screen;

/// A dump of an exporter's board.
pub(in crate::commands) struct DumpRequest {
    /// What is read, and the file of this machine that it goes into.
    pub(in crate::commands) job: DumpJob,
    /// Dotted path of the flasher, when the exporter has several.
    pub(in crate::commands) device: Option<String>,
    pub(in crate::commands) variant: Option<String>,
    /// Where the receipt is kept.
    pub(in crate::commands) receipt: Option<PathBuf>,
    /// Where it is kept as well, without being asked for.
    pub(in crate::commands) ledger: Option<Ledger>,
}

/// Dumps; the exit code is the receipt's. ^C stops the job in good order; it ends as well when this process is killed.
pub(in crate::commands) async fn dump(
    request: DumpRequest,
    remote: &RemoteArgs,
    screen: &Screen,
) -> Result<u8, Failure> {
    let DumpRequest { job, device, variant, receipt, ledger } = request;
    let label = job.sink.label();
    let out = Some(Path::new(&label)).filter(|out| *out != Path::new("-"));
    outputs::check_dump(&job, out, receipt.as_deref(), None)?;
    let receipt_file = receipt.as_deref().map(ReceiptFile::prepare).transpose()?;
    let board = connect(remote, device.as_deref()).await?;
    let progress = screen.progress();
    crate::signals::watch_held(job.stop.clone(), Arc::clone(&progress), remote.tunnel.is_some())?;
    let receipt = dump_from(&board, job, variant, &progress, screen).await?;
    conclude(&receipt, receipt_file, ledger.as_ref(), screen)
}

/// Dumps a board of an exporter; at the job's `stop` the exporter is asked to stop it.
///
/// # Errors
/// When the exporter refuses the job, its receipt does not arrive, or is of another dump.
pub(in crate::commands) async fn dump_from(
    board: &RemoteBoard,
    job: DumpJob,
    variant: Option<String>,
    progress: &Arc<dyn Progress>,
    screen: &Screen,
) -> Result<Receipt> {
    let label = job.sink.label();
    let transcript = job.transcript.clone().map(RemoteTranscript::new);
    let name =
        Path::new(&label).file_name().map_or_else(|| label.clone(), |name| name.to_string_lossy().into());
    let order = DumpOrder::of(&job, variant, name);
    let started = board.client.dump(&board.board, &order, Arc::clone(&job.sink)).await?;
    let check = |receipt: &Receipt| {
        bears_out(receipt)?;
        is_of(receipt, started.sha256.get().map(String::as_str))
    };
    let follower = Follower { progress, from: From::Now, check: &check, transcript, screen };
    let following = follower.follow(started.events);
    until_its_end(following, &job.stop, board).await
}

/// Whether a receipt is of the dump that was written here: one of anything else proves nothing.
///
/// # Errors
/// Class infrastructure when it is not.
fn is_of(receipt: &Receipt, written: Option<&str>) -> Result<()> {
    let read = receipt.image.decoded_sha256.as_deref();
    if receipt.verdict == Verdict::Failed || (written.is_some() && read == written) {
        return Ok(());
    }
    let (read, written) = (read.unwrap_or("unknown"), written.unwrap_or("unknown"));
    Err(Error::infrastructure(format!(
        "the exporter's receipt is of another dump: its SHA-256 is {read}, that of what was written {written}"
    ))
    .help("do not use the file; dump again, and update the exporter"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use flasher_core::flash::{ImageFacts, JobKind, Site};

    use super::*;

    #[test]
    fn receipts_of_other_dumps_prove_nothing() {
        let receipt = |verdict, read: Option<&str>| {
            let image = ImageFacts { decoded_sha256: read.map(str::to_owned), ..ImageFacts::default() };
            let blank =
                Receipt::blank("flasher", JobKind::Dump, Site::default(), SystemTime::now(), Duration::ZERO);
            Receipt { verdict, image, ..blank }
        };
        for (verdict, read, written, expected) in [
            (Verdict::Proven, Some("aa"), Some("aa"), true),
            (Verdict::Proven, Some("aa"), Some("bb"), false),
            (Verdict::Proven, Some("aa"), None, false),
            (Verdict::Proven, None, None, false),
            (Verdict::Failed, None, None, true),
        ] {
            assert_eq!(is_of(&receipt(verdict, read), written).is_ok(), expected, "{read:?} {written:?}");
        }
    }
}
