//! Step 9: the image goes to the board as one framed stream, decoded here, its first block withheld.

mod ahead;
pub(crate) mod direct;
mod patience;
mod spoil;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use disk_image::{BLOCK, Decoding, Image, Piece, Range, RangeKind, Summary};
use flasher_core::driver::ContentStream;
use flasher_core::flash::{self, RangeFacts, Wire};
use flasher_core::{Class, Content, Error, Event, Result, Step};
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use ahead::{Ahead, Inlet};
use patience::Patience;
pub(crate) use spoil::spoil;
use spoil::{spoiling, wipe};

use super::image;
use super::resolve::Resolved;
use super::shell::{Guest, path};
use super::target::{Target, backup, must_fit};
use crate::config::seconds;
use crate::frames::Frames;
use crate::guest::Answer;
use crate::transaction::Session;
use crate::{trouble, wire};

/// Pieces of the stream waiting for the network, at most.
const WAITING: usize = 16;
/// Largest piece handed to the network at once, bytes.
const HANDED: usize = 256 * 1024;
/// How often progress is looked at.
const GLANCE: Duration = Duration::from_millis(250);
/// How long a board whose download broke may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What is on the medium, but for the first block.
pub(crate) struct Written {
    pub(crate) summary: Summary,
    /// The withheld beginning of the image.
    pub(crate) first: Bytes,
    /// Whether the first block is zeros while the rest is not proven; not where the boot loader lives in it.
    pub(crate) spoils: bool,
}

/// Writes everything but the first block; the old one is wiped first, unless the boot loader lives in it.
pub(crate) async fn all(
    session: Session<'_>,
    resolved: &Resolved,
    piece: &mut image::Piece,
    target: &Target,
    guest: &mut Guest,
) -> Result<Written> {
    let wipe = !resolved.bundle.manifest().spec.medium_holds_bootloader;
    backup::wipe(session, target, guest).await?;
    let made = match session.job.direct {
        true => direct::all(session, &piece.image, target, wipe, guest).await?,
        false => {
            guest.wire = wire::choose(session, &piece.image, guest).await?;
            let total = piece.image.decoded_length();
            let mut decoding = piece.decoding();
            // Found while the board booted: then the old system can stay.
            if let Some(error) = decoding.failure() {
                return Err(trouble::image(error));
            }
            send(session, plan(decoding, total, target, wipe), target, guest).await?
        }
    };
    image::record(session, &made.summary);
    session.run.medium(|medium| {
        medium.data_written = made.data;
        medium.zeros_written = made.zeros;
        medium.ranges = made.summary.ranges.iter().map(facts).collect();
    });
    Ok(Written { summary: made.summary, first: made.first, spoils: wipe })
}

/// Writes some ranges again, from the source decoded again; it must still be the same image.
pub(crate) async fn again(
    session: Session<'_>,
    image: &Image,
    target: &Target,
    written: &Written,
    ranges: Vec<Range>,
    guest: &mut Guest,
) -> Result<()> {
    // What differs may differ because the device broke its promise.
    let all = plan(image.decode(), image.decoded_length(), target, false);
    let plan = Plan { fill: true, only: Some(ranges), ..all };
    let made = send(session, plan, target, guest).await?;
    if made.summary.decoded_sha256 == written.summary.decoded_sha256 {
        return Ok(());
    }
    Err(Error::new(Class::Source, "the image changed between two readings")
        .with("first", written.summary.decoded_sha256.to_string())
        .with("second", made.summary.decoded_sha256.to_string())
        .help("flash again from a source that stays the same"))
}

/// What the image has in a range, in the words of the receipt.
pub(crate) fn kind(range: &Range) -> flash::RangeKind {
    match range.kind {
        RangeKind::Data => flash::RangeKind::Data,
        RangeKind::Zero => flash::RangeKind::Zero,
        RangeKind::DontCare => flash::RangeKind::DontCare,
    }
}

fn facts(range: &Range) -> RangeFacts {
    let (offset, length, sha256) = (range.offset, range.length, range.sha256.to_string());
    let kind = kind(range);
    let writes = u32::from(offset >= BLOCK && range.kind != RangeKind::DontCare);
    RangeFacts { offset, length, kind, sha256, read_back: None, writes }
}

/// What goes into a stream.
struct Plan {
    decoding: Decoding,
    /// Length of the image, if it is known.
    total: Option<u64>,
    device: String,
    size: u64,
    wipe: bool,
    /// Only these stretches; none means everything but the first block.
    only: Option<Vec<Range>>,
    /// Zeros are written, whatever the device promises.
    fill: bool,
    ahead: Arc<Ahead>,
}

fn plan(decoding: Decoding, total: Option<u64>, target: &Target, wipe: bool) -> Plan {
    let (device, size) = (target.device.clone(), target.size);
    Plan { decoding, total, device, size, wipe, only: None, fill: false, ahead: Arc::default() }
}

/// What went into a stream.
struct Made {
    summary: Summary,
    first: Bytes,
    data: u64,
    zeros: u64,
}

/// Ends the task when the step ends early.
struct Producer(JoinHandle<Result<Made>>);

impl Drop for Producer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type Outlet = mpsc::Sender<io::Result<Bytes>>;

async fn send(session: Session<'_>, plan: Plan, target: &Target, guest: &mut Guest) -> Result<Made> {
    let (outlet, inlet) = mpsc::channel(WAITING);
    let inlet = plan.ahead.pack(guest.wire, inlet);
    let (total, ahead) = (plan.total, Arc::clone(&plan.ahead));
    let told = AtomicU64::new(0);
    let report = move |session: Session<'_>, delivered| {
        let done = ahead.done(delivered);
        if told.swap(done, Ordering::Relaxed) != done {
            session.run.report(Event::Advanced { step: Step::Write, done, total });
        }
        done
    };
    let mut producer = Producer(tokio::spawn(produce(plan, outlet)));
    let content = stream_once(inlet);
    let sent = frames_to_board(session, content, guest.wire, &report, target, guest).await;
    session.flasher.http.withdraw(&path(session, "frames"));
    let made = if producer.0.is_finished() || sent.is_ok() {
        (&mut producer.0).await.unwrap_or_else(|error| {
            Err(Error::new(Class::Internal, "the decoding task ended unexpectedly").because(error))
        })
    } else {
        return Err(sent.err().unwrap_or_else(|| Error::new(Class::Internal, "no stream and no error")));
    };
    // The image's own failure is the cause; what the board says of a broken stream is its consequence.
    match (made, sent) {
        (Err(error), Err(board)) if is_consequence(&error) => Err(board),
        (Err(error), _) => Err(error),
        (Ok(_), Err(error)) => Err(error),
        (Ok(made), Ok(())) => Ok(made),
    }
}

/// Whether the producer failed only because the board stopped listening.
fn is_consequence(error: &Error) -> bool {
    error.class() == Class::Infrastructure && error.context().iter().any(|(key, _)| *key == "stream")
}

/// Takes the bytes of the stream that were delivered, now and then; gives the bytes of the image that have left with them.
pub(crate) type Report<'r> = &'r (dyn Fn(Session<'_>, u64) -> u64 + Send + Sync);

/// Publishes a stream and has the board write it.
pub(crate) async fn frames_to_board(
    session: Session<'_>,
    content: Content,
    wire: Wire,
    report: Report<'_>,
    target: &Target,
    guest: &mut Guest,
) -> Result<()> {
    session.flasher.http.publish(&path(session, "frames"), content.clone())?;
    let url = format!("{}frames", guest.url);
    let promise = promise(&target.device);
    let arguments = ["write", target.device.as_str(), &promise, wire::name(wire), url.as_str()];
    let answers = tokio::select! {
        answers = guest.script(&arguments, Duration::from_secs(24 * 3600), None) => answers?,
        error = watch(session, &content, target, report) => return Err(error),
    };
    report(session, content.delivered());
    if let Some(error) = Guest::complaint(&answers, &target.device) {
        return Err(error);
    }
    note_zeros(session, &answers);
    if answers.contains(&Answer::Written) {
        return Ok(());
    }
    Err(Error::new(Class::Board, "the board ended writing without saying that all was written"))
}

/// Where kernels before 4.13 say that a device reads as zeros once discarded. Later ones always say that it does not.
fn promise(device: &str) -> String {
    let name = device.rsplit('/').next().unwrap_or(device);
    format!("/sys/class/block/{name}/queue/discard_zeroes_data")
}

/// Notes on the receipt how the board made zeros.
fn note_zeros(session: Session<'_>, answers: &[Answer]) {
    for answer in answers {
        if let Answer::Zeros(how) = answer {
            session.run.medium(|medium| medium.zeros_by = Some(how.clone()));
        }
    }
}

/// Reports progress; returns when nothing moves any more. Slow is not the same as standing still.
async fn watch(session: Session<'_>, content: &Content, target: &Target, report: Report<'_>) -> Error {
    let stall = seconds(session.flasher.config.timeouts.stall);
    let mut patience = Patience::new(stall, target.direct);
    let (mut last, mut moved) = (0, Instant::now());
    let frames = path(session, "frames");
    loop {
        tokio::time::sleep(GLANCE).await;
        let done = content.delivered();
        if session.run.evidence.broke("http", &frames) {
            tokio::time::sleep(LAST_WORDS).await;
            return Error::infrastructure(format!(
                "the board's download broke off after {done} bytes and the board is silent"
            ))
            .with("http server", session.run.evidence.about("http", &frames))
            .help("did the board lose power or crash? the last console lines may tell");
        }
        if done != last {
            (last, moved) = (done, Instant::now());
        }
        patience.note(done, report(session, done));
        let bound = patience.bound(session.run.evidence.whole("http", &frames));
        if moved.elapsed() > bound {
            return Error::infrastructure(format!(
                "the transfer to the board stands still after {done} bytes, for {} s",
                bound.as_secs()
            ))
            .help("the board's network or its medium hangs; the console may say which");
        }
    }
}

/// A body that can be had once: a decoding stream cannot start in the middle.
fn stream_once(inlet: Inlet) -> Content {
    let inlet = Arc::new(Mutex::new(Some(inlet)));
    Content::stream(None, move || {
        let mut taken = inlet.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let body: ContentStream = Box::pin(stream::poll_fn(move |context| taken.poll_recv(context)));
        Some(body)
    })
}

/// Decodes into the stream. A failure is told to both sides: the board's download breaks, and the step learns why.
async fn produce(mut plan: Plan, outlet: Outlet) -> Result<Made> {
    let outcome = frame(&mut plan, &outlet).await;
    if let Err(error) = &outcome {
        // Nobody listening any more is the step's own end.
        outlet.send(Err(io::Error::other(error.to_string()))).await.ok();
    }
    outcome
}

async fn frame(plan: &mut Plan, outlet: &Outlet) -> Result<Made> {
    let mut frames = if plan.fill { Frames::filling() } else { Frames::default() };
    let mut first = BytesMut::new();
    while let Some(piece) = plan.decoding.next().await.map_err(trouble::image)? {
        must_fit(piece.offset() + piece.length(), plan.size, &plan.device)?;
        if plan.wipe && piece.offset() == 0 {
            emit(plan, outlet, wipe(piece.length().min(BLOCK))).await?;
        }
        let end = piece.offset() + piece.length();
        for piece in select(plan, withhold(piece, &mut first)) {
            emit(plan, outlet, frames.push(piece)).await?;
        }
        plan.ahead.decoded(end);
    }
    let summary = plan.decoding.summary().cloned();
    let summary = summary.ok_or_else(|| Error::new(Class::Internal, "the image ended without a summary"))?;
    emit(plan, outlet, frames.finish()).await?;
    Ok(Made { summary, first: first.freeze(), data: frames.data, zeros: frames.zeros })
}

/// Keeps what belongs to the first block back; gives the rest.
fn withhold(piece: Piece, first: &mut BytesMut) -> Option<Piece> {
    let keep = BLOCK.saturating_sub(piece.offset()).min(piece.length());
    if keep == 0 {
        return Some(piece);
    }
    match piece {
        Piece::Data { offset, mut bytes } => {
            first.extend_from_slice(&bytes.split_to(keep as usize));
            (!bytes.is_empty()).then_some(Piece::Data { offset: offset + keep, bytes })
        }
        Piece::Zero { offset, length } => {
            first.resize(first.len() + keep as usize, 0);
            (length > keep).then_some(Piece::Zero { offset: offset + keep, length: length - keep })
        }
        Piece::DontCare { .. } => Some(piece), // never: the first piece of an image is data
    }
}

/// The parts of a piece that the plan wants.
fn select(plan: &Plan, piece: Option<Piece>) -> Vec<Piece> {
    match (piece, &plan.only) {
        (None, _) => Vec::new(),
        (Some(piece), None) => vec![piece],
        (Some(piece), Some(only)) => only.iter().filter_map(|range| clip(&piece, range)).collect(),
    }
}

fn clip(piece: &Piece, range: &Range) -> Option<Piece> {
    let start = piece.offset().max(range.offset);
    let end = (piece.offset() + piece.length()).min(range.offset + range.length);
    if start >= end {
        return None;
    }
    let (from, to) = (start - piece.offset(), end - piece.offset());
    Some(match piece {
        Piece::Data { bytes, .. } => {
            Piece::Data { offset: start, bytes: bytes.slice(from as usize..to as usize) }
        }
        Piece::Zero { .. } => Piece::Zero { offset: start, length: end - start },
        Piece::DontCare { .. } => Piece::DontCare { offset: start, length: end - start },
    })
}

async fn emit(plan: &Plan, outlet: &Outlet, frames: Vec<Bytes>) -> Result<()> {
    for mut frame in frames {
        while !frame.is_empty() {
            let piece = frame.split_to(frame.len().min(HANDED));
            plan.ahead.framed(piece.len() as u64);
            outlet.send(Ok(piece)).await.map_err(|_| {
                Error::infrastructure("the board stopped listening before the image's end")
                    .with("stream", "closed")
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
