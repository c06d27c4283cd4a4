//! Whether a transfer to the board still moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flasher_core::flash::Wire;
use flasher_core::{Content, Error, RootCause};
use tokio::time::Instant;

use super::guest::{FRAMES, path};
use super::patience::Patience;
use super::script::{self, Answer};
use crate::access::{Target, WriteProgress};
use crate::config::seconds;
use crate::job::{Listening, Session};

/// How often progress is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How long a board whose download broke may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How a stream goes to the board.
pub(super) struct Sending<'s> {
    pub(super) wire: Wire,
    /// Takes the bytes of the stream that were delivered; gives the bytes of the image that have left with them.
    pub(super) left: &'s (dyn Fn(u64) -> u64 + Send + Sync),
    /// Hears how far it is; what is small has no listener.
    pub(super) progress: Option<Arc<dyn WriteProgress>>,
}

impl Sending<'_> {
    /// Something small, reported to no listener.
    pub(super) fn small() -> Self {
        Self { wire: Wire::Identity, left: &|delivered| delivered, progress: None }
    }
}

/// Counts what the board says of its progress, and tells it for as long as the second is kept.
pub(super) fn listen(
    session: Session<'_>,
    progress: Option<Arc<dyn WriteProgress>>,
) -> (Arc<AtomicU64>, Listening) {
    let told = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&told);
    let listening = session.run.console.listen(move |line| {
        let Some(Answer::At(done)) = script::answer(line) else { return };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Some(progress) = &progress {
            progress.reached(done);
        }
    });
    (told, listening)
}

/// Returns when nothing moves any more. Slow is not the same as standing still.
pub(super) async fn watch(
    session: Session<'_>,
    content: &Content,
    target: &Target,
    (sending, told): (&Sending<'_>, &AtomicU64),
) -> Error {
    let stall = seconds(session.flasher.config.timeouts.stall);
    let mut patience = Patience::new(stall, target.direct);
    let (mut last, mut moved) = ((0, 0, 0), Instant::now());
    let frames = path(session, FRAMES);
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let done = content.delivered();
        if session.run.evidence.broke("http", &frames) {
            tokio::time::sleep(LAST_WORDS).await;
            return Error::infrastructure(format!(
                "the board's download broke off after {done} bytes and the board is silent"
            ))
            .with("http server", session.run.evidence.about("http", &frames))
            .caused_by(RootCause::TransferBroke)
            .help("did the board lose power or crash? the last console lines may tell");
        }
        let image = (sending.left)(done);
        // Zeros and what is left out hardly move the stream: decoding them, and writing them, is work as well.
        let now = (done, image, told.load(Ordering::Relaxed));
        if now != last {
            (last, moved) = (now, Instant::now());
        }
        patience.note(done, image);
        let is_sent = session.run.evidence.whole("http", &frames);
        let bound = patience.bound(is_sent);
        if moved.elapsed() > bound {
            let error = Error::infrastructure(format!(
                "the transfer to the board stands still after {done} bytes, for {} s",
                bound.as_secs()
            ))
            .help("the board's network or its medium hangs; the console may say which");
            return if is_sent { error.caused_by(RootCause::MediumHangs) } else { error };
        }
    }
}
