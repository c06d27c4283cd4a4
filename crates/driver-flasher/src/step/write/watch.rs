//! Whether a transfer to the board still moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flasher_core::flash::Wire;
use flasher_core::{Content, Error, Event, Progress, Step};
use tokio::time::Instant;

use super::patience::Patience;
use crate::config::seconds;
use crate::guest::{self, Answer};
use crate::job::Session;
use crate::step::read_back::Count;
use crate::step::shell::path;
use crate::step::target::Target;

/// How often progress is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How long a board whose download broke may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How a stream goes to the board.
pub(crate) struct Sending<'s> {
    pub(super) wire: Wire,
    /// Takes the bytes of the stream that were delivered; gives the bytes of the image that have left with them.
    pub(super) left: &'s (dyn Fn(u64) -> u64 + Send + Sync),
    /// How progress is told; not at all of what is small.
    pub(super) telling: Option<Telling>,
}

impl Sending<'_> {
    /// Something small, told to nobody.
    pub(crate) fn small() -> Self {
        Self { wire: Wire::Identity, left: &|delivered| delivered, telling: None }
    }
}

/// How the progress of writing an image is told: by what the board says that it has written.
#[derive(Clone)]
pub(super) struct Telling {
    /// Length of the image, if it is known.
    pub(super) total: Option<u64>,
    pub(super) told: Told,
}

/// As what the progress of writing is told.
#[derive(Clone)]
pub(super) enum Told {
    /// All of the image is written, for the first time: the step *write*. What the board says is then on the medium.
    First,
    /// Some of it is written again: a part of *verify*.
    Again(Arc<Count>),
}

impl Telling {
    /// Tells that so much is written.
    pub(super) fn tell(&self, progress: &dyn Progress, done: u64) {
        let done = self.total.map_or(done, |total| done.min(total));
        match &self.told {
            Told::First => {
                progress.report(Event::Advanced { step: Step::Write, done, total: self.total });
            }
            Told::Again(count) => count.at(done),
        }
    }
}

/// Counts what the board says of its progress, and tells it.
pub(super) fn listen(session: Session<'_>, telling: Option<Telling>) -> Arc<AtomicU64> {
    let told = Arc::new(AtomicU64::new(0));
    let (counter, progress, on_medium) =
        (Arc::clone(&told), session.run.progress(), session.run.on_medium.clone());
    session.run.listen(move |line| {
        let Some(Answer::At(done)) = guest::answer(line) else { return };
        counter.fetch_add(1, Ordering::Relaxed);
        let Some(telling) = &telling else { return };
        if matches!(telling.told, Told::First) {
            on_medium.reached(telling.total.map_or(done, |total| done.min(total)));
        }
        telling.tell(progress.as_ref(), done);
    });
    told
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
    let frames = path(session, "frames");
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let done = content.delivered();
        if session.run.evidence.broke("http", &frames) {
            tokio::time::sleep(LAST_WORDS).await;
            return Error::infrastructure(format!(
                "the board's download broke off after {done} bytes and the board is silent"
            ))
            .with("http server", session.run.evidence.about("http", &frames))
            .help("did the board lose power or crash? the last console lines may tell");
        }
        let image = (sending.left)(done);
        // Zeros and what is left out hardly move the stream: decoding them, and writing them, is work as well.
        let now = (done, image, told.load(Ordering::Relaxed));
        if now != last {
            (last, moved) = (now, Instant::now());
        }
        patience.note(done, image);
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
