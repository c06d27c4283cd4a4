//! Step 9: the image goes to the board as one framed stream, decoded here, its first block withheld.

mod again;
mod ahead;
mod capacity;
pub(crate) mod direct;
mod patience;
mod spoil;
mod unfinished;
mod watch;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use disk_image::{BLOCK, Decoding, Digest, Extent, Range, RangeKind, Summary};
use flasher_core::driver::ContentStream;
use flasher_core::flash::{self, MediumState, RangeFacts};
use flasher_core::{Class, Content, Error, Result};
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(crate) use again::{again, must_be_same};
use ahead::{Ahead, Inlet};
pub(crate) use capacity::counterfeit;
pub(crate) use spoil::spoil;
use spoil::{erase, spoiling, wipe};
use unfinished::{Outcome, Unfinished};
pub(crate) use watch::Sending;
use watch::{Telling, Told, listen, watch};

use super::image;
use super::read_back::{self, Wanted};
use super::resolve::Resolved;
use super::shell::{Guest, path};
use super::target::{Target, backup, must_fit};
use crate::frames::Frames;
use crate::guest::Answer;
use crate::job::{OnMedium, Session};
use crate::{trouble, wire};

/// Pieces of the stream waiting for the network, at most.
const WAITING: usize = 16;
/// Largest piece handed to the network at once, bytes.
const HANDED: usize = 256 * 1024;

/// What is on the medium, but for the first block.
pub(crate) struct Written {
    pub(crate) summary: Summary,
    /// The withheld beginning of the image.
    pub(crate) first: Bytes,
    /// The first block as it was, when the image does not care about it: it is left alone.
    pub(crate) kept: Option<Range>,
    /// Whether the first block is zeros while the rest is not proven; not where the boot loader lives in it.
    pub(crate) spoils: bool,
}

/// Writes everything but the first block; the old one is wiped first, unless the boot loader lives in it.
pub(crate) async fn all(
    session: Session<'_>,
    resolved: &Resolved,
    piece: &mut crate::piece::Piece,
    target: &Target,
    guest: &mut Guest,
) -> Result<Written> {
    let wipe = !resolved.bundle.manifest().spec.medium_holds_bootloader;
    backup::wipe(session, target, guest).await?;
    let mut kept = None;
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
            let head = decoding.next().await.map_err(trouble::image)?;
            kept = kept_block(session, target, head.as_ref(), guest).await?;
            if wipe && kept.is_none() {
                let first = head.as_ref().map_or(0, Extent::length).min(BLOCK);
                capacity::check(session, &piece.image, target, first, guest).await?;
            }
            send(session, Plan { head, ..plan(decoding, total, target, wipe) }, target, guest).await?
        }
    };
    session.run.on_medium.reached(made.summary.decoded_length);
    image::record(session, &made.summary)?;
    session.run.medium(|medium| {
        medium.data_written = made.data;
        medium.zeros_written = made.zeros;
        medium.ranges = made.summary.ranges.iter().map(facts).collect();
    });
    let spoils = wipe && kept.is_none();
    Ok(Written { summary: made.summary, first: made.first, kept, spoils })
}

/// What is in the first block, when the image does not care about it: nothing may change it.
async fn kept_block(
    session: Session<'_>,
    target: &Target,
    head: Option<&Extent>,
    guest: &mut Guest,
) -> Result<Option<Range>> {
    let Some(Extent::Unmapped { offset: 0, length }) = head else { return Ok(None) };
    let kind = RangeKind::Unmapped;
    let range = Range { offset: 0, length: BLOCK.min(*length), sha256: Digest::of(b""), kind };
    let wanted = Wanted::quietly(std::slice::from_ref(&range), &[0]);
    let read = read_back::digests(session, target, wanted, guest).await?;
    session.run.note("the image leaves the first block alone, so it stays as it is from the beginning on");
    Ok(read.get(&0).map(|sha256| Range { sha256: *sha256, ..range }))
}

/// What the image has in a range, in the words of the receipt.
pub(crate) fn kind(range: &Range) -> flash::RangeKind {
    match range.kind {
        RangeKind::Data => flash::RangeKind::Data,
        RangeKind::Zero => flash::RangeKind::Zero,
        RangeKind::Unmapped => flash::RangeKind::Unmapped,
    }
}

fn facts(range: &Range) -> RangeFacts {
    let (offset, length, sha256) = (range.offset, range.length, range.sha256.to_string());
    let kind = kind(range);
    let writes = u32::from(offset >= BLOCK && range.kind != RangeKind::Unmapped);
    RangeFacts { offset, length, kind, sha256, read_back: None, writes }
}

/// What goes into a stream.
struct Plan {
    /// The first piece, when it was taken already.
    head: Option<Extent>,
    decoding: Decoding,
    /// Length of the image, if it is known.
    total: Option<u64>,
    device: String,
    size: u64,
    wipe: bool,
    /// Only these stretches; none means everything but the first block.
    only: Option<Vec<Range>>,
    /// As what its progress is told.
    told: Told,
    /// Zeros are written, whatever the device promises.
    fill: bool,
    ahead: Arc<Ahead>,
}

impl Plan {
    async fn next(&mut self) -> Result<Option<Extent>> {
        match self.head.take() {
            None => self.decoding.next().await.map_err(trouble::image),
            head => Ok(head),
        }
    }

    /// How much of the first block is erased before anything is written, bytes.
    fn erased(&self) -> u64 {
        let head = self.head.as_ref().filter(|head| self.wipe && !matches!(head, Extent::Unmapped { .. }));
        head.map_or(0, |head| head.length().min(BLOCK))
    }

    /// How progress is told.
    fn telling(&self) -> Telling {
        Telling { total: self.total, told: self.told.clone() }
    }
}

fn plan(decoding: Decoding, total: Option<u64>, target: &Target, wipe: bool) -> Plan {
    let (device, size) = (target.device.clone(), target.size);
    let ahead = Arc::default();
    Plan {
        head: None,
        decoding,
        total,
        device,
        size,
        wipe,
        only: None,
        told: Told::First,
        fill: false,
        ahead,
    }
}

/// What went into a stream.
struct Made {
    summary: Summary,
    first: Bytes,
    data: u64,
    zeros: u64,
}

/// Ends the task when the step ends early.
struct Producer<E>(JoinHandle<std::result::Result<Made, E>>);

impl<E> Drop for Producer<E> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type Outlet = mpsc::Sender<io::Result<Bytes>>;

async fn send(session: Session<'_>, plan: Plan, target: &Target, guest: &mut Guest) -> Result<Made> {
    let (outlet, inlet) = mpsc::channel(WAITING);
    let inlet = plan.ahead.pack(guest.wire, inlet);
    let (ahead, telling, erased) = (Arc::clone(&plan.ahead), plan.telling(), plan.erased());
    let mut producer = Producer(tokio::spawn(produce(plan, outlet)));
    let content = stream_once(inlet, session.run.on_medium.clone());
    let sending =
        Sending { wire: guest.wire, left: &|delivered| ahead.done(delivered), telling: Some(telling) };
    let sent = frames_to_board(session, content, &sending, target, guest).await;
    session.flasher.http.withdraw(&path(session, "frames"));
    let made = if producer.0.is_finished() || sent.is_ok() {
        (&mut producer.0).await.unwrap_or_else(|error| {
            Err(Error::new(Class::Internal, "the decoding task ended unexpectedly").because(error).into())
        })
    } else {
        return Err(sent.err().unwrap_or_else(|| Error::new(Class::Internal, "no stream and no error")));
    };
    // The image's own failure is the cause; what the board says of a broken stream is its consequence.
    match (made, sent) {
        (Err(Unfinished::NotTaken), Err(board)) => Err(board),
        (Err(unfinished), _) => {
            erase(session, erased, target, guest).await;
            Err(unfinished.into())
        }
        (Ok(_), Err(error)) => Err(error),
        (Ok(made), Ok(())) => Ok(made),
    }
}

/// Publishes a stream and has the board write it.
pub(crate) async fn frames_to_board(
    session: Session<'_>,
    content: Content,
    sending: &Sending<'_>,
    target: &Target,
    guest: &mut Guest,
) -> Result<()> {
    session.flasher.http.publish(&path(session, "frames"), content.clone())?;
    let url = format!("{}frames", guest.url);
    let promise = promise(&target.device);
    let arguments = ["write", target.device.as_str(), &promise, wire::name(sending.wire), url.as_str()];
    let told = listen(session, sending.telling.clone());
    let answers = tokio::select! {
        answers = guest.script(&arguments, Duration::from_secs(24 * 3600), None) => answers,
        error = watch(session, &content, target, (sending, &told)) => Err(error),
    };
    session.run.listen(|_| {});
    let answers = answers?;
    if let Some(error) = Guest::complaint(&answers, &target.device) {
        return Err(error);
    }
    note_zeros(session, &answers);
    if !answers.contains(&Answer::Written) {
        return Err(Error::new(Class::Board, "the board ended writing without saying that all was written"));
    }
    if let Some(telling) = &sending.telling {
        telling.tell(session.run.progress().as_ref(), (sending.left)(content.delivered()));
    }
    Ok(())
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

/// A body that can be had once: a decoding stream cannot start in the middle. Whatever leaves may be on the medium soon.
fn stream_once(inlet: Inlet, on_medium: OnMedium) -> Content {
    let inlet = Arc::new(Mutex::new(Some(inlet)));
    Content::stream(None, move || {
        let mut taken = inlet.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let on_medium = on_medium.clone();
        let mut begun = false;
        let body: ContentStream = Box::pin(stream::poll_fn(move |context| {
            let piece = taken.poll_recv(context);
            if !begun && matches!(piece, Poll::Ready(Some(Ok(_)))) {
                begun = true;
                on_medium.leaves(MediumState::PartlyWritten { to: 0 });
            }
            piece
        }));
        Some(body)
    })
}

/// Decodes into the stream. A failure is told to both sides: the board's download breaks, and the step learns why.
async fn produce(mut plan: Plan, outlet: Outlet) -> Outcome<Made> {
    let outcome = frame(&mut plan, &outlet).await;
    // Without a listener there is nobody to tell.
    if let Err(Unfinished::Image(error)) = &outcome {
        outlet.send(Err(io::Error::other(error.to_string()))).await.ok();
    }
    outcome
}

async fn frame(plan: &mut Plan, outlet: &Outlet) -> Outcome<Made> {
    let mut frames = if plan.fill { Frames::filling() } else { Frames::default() };
    let mut first = BytesMut::new();
    while let Some(piece) = plan.next().await? {
        must_fit(piece.offset() + piece.length(), plan.size, &plan.device)?;
        let is_kept = matches!(piece, Extent::Unmapped { .. });
        if plan.wipe && piece.offset() == 0 && !is_kept {
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
fn withhold(piece: Extent, first: &mut BytesMut) -> Option<Extent> {
    let keep = BLOCK.saturating_sub(piece.offset()).min(piece.length());
    if keep == 0 {
        return Some(piece);
    }
    match piece {
        Extent::Data { offset, mut bytes } => {
            first.extend_from_slice(&bytes.split_to(keep as usize));
            (!bytes.is_empty()).then_some(Extent::Data { offset: offset + keep, bytes })
        }
        Extent::Zero { offset, length } => {
            first.resize(first.len() + keep as usize, 0);
            (length > keep).then_some(Extent::Zero { offset: offset + keep, length: length - keep })
        }
        Extent::Unmapped { .. } => Some(piece),
    }
}

/// The parts of a piece that the plan wants.
fn select(plan: &Plan, piece: Option<Extent>) -> Vec<Extent> {
    match (piece, &plan.only) {
        (None, _) => Vec::new(),
        (Some(piece), None) => vec![piece],
        (Some(piece), Some(only)) => only.iter().filter_map(|range| clip(&piece, range)).collect(),
    }
}

fn clip(piece: &Extent, range: &Range) -> Option<Extent> {
    let start = piece.offset().max(range.offset);
    let end = (piece.offset() + piece.length()).min(range.offset + range.length);
    if start >= end {
        return None;
    }
    let (from, to) = (start - piece.offset(), end - piece.offset());
    Some(match piece {
        Extent::Data { bytes, .. } => {
            Extent::Data { offset: start, bytes: bytes.slice(from as usize..to as usize) }
        }
        Extent::Zero { .. } => Extent::Zero { offset: start, length: end - start },
        Extent::Unmapped { .. } => Extent::Unmapped { offset: start, length: end - start },
    })
}

async fn emit(plan: &Plan, outlet: &Outlet, frames: Vec<Bytes>) -> Outcome<()> {
    for mut frame in frames {
        while !frame.is_empty() {
            let piece = frame.split_to(frame.len().min(HANDED));
            plan.ahead.framed(piece.len() as u64);
            outlet.send(Ok(piece)).await.map_err(|_| Unfinished::NotTaken)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
