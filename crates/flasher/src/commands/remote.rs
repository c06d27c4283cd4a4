//! `flasher --remote`: jobs that run on an exporter. A flash survives this process, and others can follow it; a dump comes into a file of
//! this machine.

mod dump;
mod follow;
mod order;
mod plan;
mod transcript;

pub(super) use dump::{DumpRequest, dump};
pub(super) use plan::plan;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use driver_remote::{RemoteAccess, RemoteExporter, RemoteFlasher, StartedFlash};
use flasher_core::{CancellationToken, Error, Event, Progress, Receipt, Result, Step};

use self::follow::{Follower, From, bears_out};
use self::order::OutgoingOrder;
use self::transcript::RemoteTranscript;
use super::conclude::conclude;
use super::flash::args::FlashArgs;
use crate::args::remote::RemoteArgs;
use crate::failure::Failure;
use crate::job;
use crate::receipt_file::ReceiptFile;
use crate::screen::Screen;

/// What to do with the job on the exporter besides starting one.
#[derive(Clone, Copy)]
pub(super) enum Follow {
    /// Hear how it goes.
    Attach,
    /// Stop it.
    Cancel,
}

/// Flashes on the exporter; the exit code is the receipt's. ^C stops the job in good order; when this process is killed,
/// the job goes on.
pub(super) async fn flash(args: &FlashArgs, remote: &RemoteArgs, screen: &Screen) -> Result<u8, Failure> {
    let stop = CancellationToken::new();
    let job = job::flash_job(args, stop.clone())?;
    crate::outputs::check_flash(&job, args.job.receipt.as_deref(), None)?;
    let receipt_file = args.job.receipt.as_deref().map(ReceiptFile::prepare).transpose()?;
    let (client, board) = connect(remote, args.node.device.as_deref()).await?;
    let progress = screen.progress();
    let transcript = job.transcript.clone().map(RemoteTranscript::new);
    let outgoing = OutgoingOrder::new(job, args.variant.clone()).await?;
    let images = outgoing.sent_images();
    let started = start(&client, &board, outgoing, &progress).await?;
    crate::signals::watch_held(stop.clone(), Arc::clone(&progress), remote.tunnel.is_some())?;
    let check = |receipt: &Receipt| {
        bears_out(receipt)?;
        images.compare(receipt, started.sha256.get().map_or(&[][..], Vec::as_slice))
    };
    let follower = Follower { progress: &progress, from: From::Now, check: &check, transcript, screen };
    let following = follower.follow(started.events);
    let receipt = until_its_end(following, &stop, (&client, &board)).await?;
    conclude(&receipt, receipt_file, args.job.ledger.ledger().as_ref(), screen)
}

/// The receipt of a job that is followed; at `stop` the exporter is asked to stop it.
async fn until_its_end(
    following: impl Future<Output = Result<Receipt>>,
    stop: &CancellationToken,
    (client, board): (&RemoteExporter, &RemoteFlasher),
) -> Result<Receipt> {
    let mut following = std::pin::pin!(following);
    tokio::select! {
        receipt = following.as_mut() => receipt,
        () = stop.cancelled() => {
            if let Err(error) = client.cancel(board).await {
                // It may have ended meanwhile, as its receipt then tells.
                tracing::warn!(error = %error.cause(), "the exporter was asked to stop the job");
            }
            following.await
        }
    }
}

/// Follows or stops the job of the exporter; the exit code is its receipt's.
pub(super) async fn join(
    what: Follow,
    device: Option<&str>,
    receipt: Option<&Path>,
    remote: &RemoteArgs,
    screen: &Screen,
) -> Result<u8, Failure> {
    let receipt_file = receipt.map(ReceiptFile::prepare).transpose()?;
    let (client, board) = connect(remote, device).await?;
    let progress = screen.progress();
    let from = From::TheBeginning;
    let follower = Follower { progress: &progress, from, check: &bears_out, transcript: None, screen };
    let receipt = match what {
        Follow::Attach => follower.follow(client.attach(&board).await?).await?,
        Follow::Cancel => follower.follow(client.cancel(&board).await?).await?,
    };
    conclude(&receipt, receipt_file, None, screen)
}

async fn connect(remote: &RemoteArgs, device: Option<&str>) -> Result<(RemoteExporter, RemoteFlasher)> {
    let client = exporter(remote).await?;
    let board = client.board(device)?;
    Ok((client, board))
}

/// Connects to the exporter of `--remote`, or to the one that was leased.
///
/// # Errors
/// When none is named, or it does not answer or refuses us.
pub(super) async fn exporter(remote: &RemoteArgs) -> Result<RemoteExporter> {
    if let Some(tunnel) = &remote.tunnel {
        return RemoteExporter::connect(RemoteAccess::through(Arc::clone(tunnel))).await;
    }
    let address = remote.remote.as_deref().ok_or_else(|| {
        Error::config("no exporter is named").help("give `--remote HOST:PORT`, where `flasher serve` runs")
    })?;
    let access = RemoteAccess {
        passphrase_file: remote.remote_passphrase_file.clone(),
        ca_file: remote.remote_cacert.clone(),
        ..RemoteAccess::open(address)
    };
    RemoteExporter::connect(access).await
}

/// Starts the flash; files of this machine are sent to the exporter, once that has reserved the board.
async fn start(
    client: &RemoteExporter,
    board: &RemoteFlasher,
    outgoing: OutgoingOrder,
    progress: &Arc<dyn Progress>,
) -> Result<StartedFlash> {
    let sent = sending(&outgoing.paths, progress).await;
    client.start(board, outgoing.order, &outgoing.paths, sent).await
}

/// Tells how the files at `paths` are sent: what it gives is called with the bytes that have gone.
async fn sending(paths: &[PathBuf], progress: &Arc<dyn Progress>) -> impl Fn(u64) + Send + Sync + use<> {
    let names: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
    let message = format!("sending {} to the exporter", names.join(", "));
    let mut total = Some(0);
    for path in paths {
        let length = tokio::fs::metadata(path).await.ok().map(|facts| facts.len());
        total = total.and_then(|total| Some(total + length?));
    }
    let reported = Arc::clone(progress);
    move |done| match done {
        0 => reported.report(Event::Note { message: message.clone() }),
        done => reported.report(Event::Advanced { step: Step::Image, done, total }),
    }
}
