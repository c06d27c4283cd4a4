//! `flasher --remote`: jobs that run on an exporter. A flash survives this process, and others can follow it; a dump comes into a file of
//! this machine.

mod dump;
mod follow;
mod order;
mod plan;
mod transcript;

pub(super) use dump::{DumpRequest, dump, dump_from};
pub(super) use plan::{plan, plan_on};

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use driver_remote::{RemoteAccess, RemoteExporter, RemoteFlasher, StartedFlash};
use flasher_core::{CancellationToken, Error, Event, FlashJob, Progress, Receipt, Result, Step};

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
    let board = connect(remote, args.boards.one()).await?;
    let progress = screen.progress();
    let begun = || crate::signals::watch_held(stop, Arc::clone(&progress), remote.tunnel.is_some());
    let receipt = board.flash(job, args.variant.clone(), begun, &progress, screen).await?;
    conclude(&receipt, receipt_file, args.job.ledger.ledger().as_ref(), screen)
}

/// A board of an exporter.
#[derive(Clone)]
pub(super) struct RemoteBoard {
    /// Its exporter.
    pub(super) client: RemoteExporter,
    /// Its flasher.
    pub(super) board: RemoteFlasher,
}

impl RemoteBoard {
    /// Flashes it. `begun` is called once the exporter has the job; at the job's `stop` the exporter is asked to stop it.
    ///
    /// # Errors
    /// When the exporter refuses the job, its receipt does not arrive, or does not bear out what it says.
    pub(super) async fn flash(
        &self,
        job: FlashJob,
        variant: Option<String>,
        begun: impl FnOnce() -> io::Result<()>,
        progress: &Arc<dyn Progress>,
        screen: &Screen,
    ) -> Result<Receipt, Failure> {
        let (stop, transcript) = (job.stop.clone(), job.transcript.clone().map(RemoteTranscript::new));
        let outgoing = OutgoingOrder::new(job, variant).await?;
        let images = outgoing.sent_images();
        let started = start(self, outgoing, progress).await?;
        begun()?;
        let check = |receipt: &Receipt| {
            bears_out(receipt)?;
            images.compare(receipt, started.sha256.get().map_or(&[][..], Vec::as_slice))
        };
        let follower = Follower { progress, from: From::Now, check: &check, transcript, screen };
        let following = follower.follow(started.events);
        Ok(until_its_end(following, &stop, self).await?)
    }
}

/// The receipt of a job that is followed; at `stop` the exporter is asked to stop it.
async fn until_its_end(
    following: impl Future<Output = Result<Receipt>>,
    stop: &CancellationToken,
    RemoteBoard { client, board }: &RemoteBoard,
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
    let RemoteBoard { client, board } = connect(remote, device).await?;
    let progress = screen.progress();
    let from = From::TheBeginning;
    let follower = Follower { progress: &progress, from, check: &bears_out, transcript: None, screen };
    let receipt = match what {
        Follow::Attach => follower.follow(client.attach(&board).await?).await?,
        Follow::Cancel => follower.follow(client.cancel(&board).await?).await?,
    };
    conclude(&receipt, receipt_file, None, screen)
}

async fn connect(remote: &RemoteArgs, device: Option<&str>) -> Result<RemoteBoard> {
    let client = exporter(remote).await?;
    let board = client.board(device)?;
    Ok(RemoteBoard { client, board })
}

/// Connects to the exporter of `--remote`, or to the one that was leased.
///
/// # Errors
/// When none is named, or it does not answer or refuses us.
pub(super) async fn exporter(remote: &RemoteArgs) -> Result<RemoteExporter> {
    if let Some(tunnel) = &remote.tunnel {
        return RemoteExporter::connect(RemoteAccess::through(Arc::clone(tunnel))).await;
    }
    let address = remote.remotes.first().ok_or_else(|| {
        Error::config("no exporter is named").help("give `--remote HOST:PORT`, where `flasher serve` runs")
    })?;
    exporter_at(remote, address).await
}

/// Connects to the exporter at `address`, `HOST:PORT`, as the other options say.
///
/// # Errors
/// When it does not answer or refuses us.
pub(super) async fn exporter_at(remote: &RemoteArgs, address: &str) -> Result<RemoteExporter> {
    let access = RemoteAccess {
        passphrase_file: remote.remote_passphrase_file.clone(),
        ca_file: remote.remote_cacert.clone(),
        ..RemoteAccess::open(address)
    };
    RemoteExporter::connect(access).await
}

/// Starts the flash; files of this machine are sent to the exporter, once that has reserved the board.
async fn start(
    RemoteBoard { client, board }: &RemoteBoard,
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
