//! `flasher --remote`: a flash that runs on an exporter, survives this process, and can be followed by others.

mod companions;
mod source;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use exporter_grpc::remote::RemoteFlasher;
use exporter_grpc::{JobOrder, Passphrase, Remote};
use flasher_core::flash::MediumState;
use flasher_core::journal::Journal;
use flasher_core::{Class, Error, Event, FlashJob, Progress, Receipt, Result, Step, Timed, Verdict};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};

use self::source::is_url;
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
    let stop = flasher_core::CancellationToken::new();
    let job = job::flash_job(args, stop.clone())?;
    crate::outputs::check_flash(&job, args.job.receipt.as_deref(), None)?;
    let receipt_file = args.job.receipt.as_deref().map(ReceiptFile::prepare).transpose()?;
    let (mut client, board) = connect(remote, args.node.device.as_deref()).await?;
    let progress = screen.progress();
    let order = order(job, args, &progress).await?;
    let (events, sent) = start(&mut client, &board, order, &progress).await?;
    crate::signals::watch(stop.clone(), Arc::clone(&progress))?;
    let receipt = {
        let mut following = std::pin::pin!(follow(events, &progress, From::Now, screen));
        tokio::select! {
            receipt = following.as_mut() => receipt?,
            () = stop.cancelled() => {
                if let Err(error) = client.cancel(&board).await {
                    // It may have ended meanwhile, as its receipt then tells.
                    tracing::warn!(error = %error.cause(), "the exporter was asked to stop the flash");
                }
                following.await?
            }
        }
    };
    compare(&receipt, sent.and_then(|sent| sent.get().cloned()).as_deref())?;
    conclude(&receipt, receipt_file, Journal::of_user().as_ref(), screen)
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
    let (mut client, board) = connect(remote, device).await?;
    let progress = screen.progress();
    let receipt = match what {
        Follow::Attach => follow(client.attach(&board).await?, &progress, From::TheBeginning, screen).await?,
        Follow::Cancel => follow(client.cancel(&board).await?, &progress, From::TheBeginning, screen).await?,
    };
    conclude(&receipt, receipt_file, None, screen)
}

/// From when on a job is heard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    /// It has just begun: its events are told with the time of this machine, as what is told of the sending.
    Now,
    /// It may have begun long before: its events are told with their own times, by the exporter's clock.
    TheBeginning,
}

async fn connect(remote: &RemoteArgs, device: Option<&str>) -> Result<(Remote, RemoteFlasher)> {
    let client = exporter(remote).await?;
    let board = client.board(device)?;
    Ok((client, board))
}

/// Connects to the exporter of `--remote`.
///
/// # Errors
/// When none is named, or it does not answer or refuses us.
pub(super) async fn exporter(remote: &RemoteArgs) -> Result<Remote> {
    let address = remote.remote.as_deref().ok_or_else(|| {
        Error::config("no exporter is named").help("give `--remote HOST:PORT`, where `flasher serve` runs")
    })?;
    let passphrase = remote.remote_passphrase_file.as_deref().map(Passphrase::read).transpose()?;
    Remote::connect(address, passphrase.as_ref(), remote.remote_cacert.as_deref()).await
}

/// The job as an order, with what is beside its image.
async fn order(job: FlashJob, args: &FlashArgs, progress: &Arc<dyn Progress>) -> Result<JobOrder> {
    let beside = companions::of(&job, progress).await?;
    Ok(JobOrder {
        target: job.target,
        variant: args.variant.clone(),
        sha256: beside.sha256,
        block_map: beside.block_map,
        headers: job.headers,
        bearer: job.bearer,
        insecure: job.insecure,
        retries: Some(job.retries),
        deadline: job.deadline.map(|bound| bound.as_secs_f64()),
        power_off: Some(job.power_off),
        expect_boot: job.expect_boot,
        check_first: job.check_first,
        format: job.format,
        wipe_old_table: job.wipe_old_table,
        wire: job.wire,
        ..JobOrder::new(job.image)
    })
}

/// The digest of what was sent, once it is known.
type Digest = Arc<OnceLock<String>>;

/// Starts the flash; an image that is a file is sent to the exporter, once that has reserved the board.
async fn start(
    client: &mut Remote,
    board: &RemoteFlasher,
    mut order: JobOrder,
    progress: &Arc<dyn Progress>,
) -> Result<(BoxStream<'static, Result<String>>, Option<Digest>)> {
    if is_url(&order.image) {
        return Ok((client.start(board, &order).await?.boxed(), None));
    }
    let file = PathBuf::from(std::mem::take(&mut order.image));
    order.image = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let told = Arc::clone(progress);
    let total = tokio::fs::metadata(&file).await.map(|facts| facts.len()).ok();
    let message = format!("sending `{}` to the exporter", file.display());
    let sent = move |done| match done {
        0 => told.report(Event::Note { message: message.clone() }),
        done => told.report(Event::Advanced { step: Step::Image, done, total }),
    };
    let sending = client.start_with_file(board, order, &file, sent).await?;
    Ok((sending.events, Some(sending.sha256)))
}

/// Whether what the exporter proved is what was sent to it; a receipt of anything else proves nothing here.
fn compare(receipt: &Receipt, sent: Option<&str>) -> Result<()> {
    let read = receipt.image.source_sha256.as_deref();
    match sent {
        Some(sent) if receipt.verdict != Verdict::Failed && read != Some(sent) => {
            let read = read.unwrap_or("unknown");
            Err(Error::new(
                Class::Source,
                format!(
                    "the exporter flashed another image: its SHA-256 is {read}, that of what was sent {sent}"
                ),
            )
            .help("the board holds what the exporter had; flash again, and update the exporter"))
        }
        _ => Ok(()),
    }
}

/// Shows every event, and gives the receipt of the last one.
async fn follow(
    events: impl Stream<Item = Result<String>>,
    progress: &Arc<dyn Progress>,
    from: From,
    screen: &Screen,
) -> Result<Receipt> {
    let mut events = std::pin::pin!(events);
    let (mut receipt, mut is_begun) = (None, false);
    while let Some(text) = events.next().await {
        let text = text.map_err(|error| if is_begun { out_of_sight(error) } else { error })?;
        match serde_json::from_str::<Timed>(&text) {
            Ok(event) => {
                is_begun = true;
                if let Event::Finished { receipt: last } = &event.what {
                    receipt = Some((**last).clone());
                }
                match from {
                    From::Now => progress.report(event.what),
                    From::TheBeginning => progress.replay(event),
                }
            }
            Err(error) => other(&text, &error, screen)?,
        }
    }
    receipt.ok_or_else(|| {
        out_of_sight(Error::infrastructure("the exporter ended the flash without a receipt"))
            .help("`flasher --remote … attach` tells how it stands")
    })
}

/// The failure of a job that goes on, or went on, where it cannot be seen: what is on the medium is not known here.
fn out_of_sight(error: Error) -> Error {
    error.with("medium", MediumState::Unknown.to_string())
}

/// An event that is none of a job: the job was refused, is over, or the exporter is of another version.
fn other(text: &str, error: &serde_json::Error, screen: &Screen) -> Result<()> {
    let value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    match value["event"].as_str().unwrap_or_default() {
        "refused" => {
            let reason = value["reason"].as_str().unwrap_or("it gave no reason");
            let class = serde_json::from_value(value["class"].clone()).unwrap_or(Class::Infrastructure);
            return Err(Error::new(class, format!("the exporter refused the flash: {reason}")));
        }
        "job-over" => screen.aside("no job is running; this is how the last one went\n"),
        // Meant for whoever ordered the job.
        "send-image" => {}
        _ => tracing::warn!(%error, "the exporter sent an event this version does not know"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use flasher_core::flash::{JobKind, Site};

    use super::*;

    #[tokio::test]
    async fn a_job_whose_receipt_does_not_come_leaves_the_medium_unknown() {
        let begun = || Ok(r#"{"event":"step-begun","step":"write"}"#.to_owned());
        let cut = || Err(Error::infrastructure("the connection broke"));
        let quiet: Arc<dyn Progress> = Arc::new(flasher_core::Quiet);
        for (events, cause, is_unknown) in [
            (vec![begun(), cut()], "the connection broke", true),
            (vec![begun()], "the exporter ended the flash without a receipt", true),
            // No job was heard of.
            (vec![cut()], "the connection broke", false),
        ] {
            let screen = Screen::new(false, crate::log::Chatter::Normal);
            let events = futures_util::stream::iter(events);
            let error = follow(events, &quiet, From::Now, &screen).await.unwrap_err();
            assert_eq!(error.cause(), cause);
            let told =
                ("medium", "unknown: the job ran elsewhere, and its receipt did not arrive".to_owned());
            assert_eq!(error.context().contains(&told), is_unknown, "{error:?}");
        }
    }

    #[test]
    fn a_receipt_of_another_image_is_no_success() {
        let check = |verdict, read: Option<&str>, sent, is_good| {
            let begun = std::time::SystemTime::now();
            let site = Site::default();
            let mut receipt =
                Receipt::blank("flasher", JobKind::Flash, site, begun, std::time::Duration::ZERO);
            receipt.verdict = verdict;
            receipt.image.source_sha256 = read.map(str::to_owned);
            assert_eq!(compare(&receipt, sent).is_ok(), is_good, "{verdict:?} {read:?} {sent:?}");
        };
        check(Verdict::Proven, Some("aa"), Some("aa"), true);
        check(Verdict::Proven, Some("bb"), Some("aa"), false);
        check(Verdict::Written, Some("bb"), Some("aa"), false);
        check(Verdict::Proven, None, Some("aa"), false);
        check(Verdict::Failed, None, Some("aa"), true);
        check(Verdict::Proven, Some("bb"), None, true);
        let screen = Screen::new(true, crate::log::Chatter::Quiet);
        let refused = r#"{"event":"refused","class":"interrupted","reason":"stopped"}"#;
        let error = other(refused, &json_error(), &screen).unwrap_err();
        assert_eq!(
            (error.class(), error.to_string().as_str()),
            (Class::Interrupted, "the exporter refused the flash: stopped")
        );
    }

    fn json_error() -> serde_json::Error {
        serde_json::from_str::<Event>("{}").unwrap_err()
    }
}
