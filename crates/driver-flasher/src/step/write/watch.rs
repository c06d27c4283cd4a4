//! Whether a transfer to the board still moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flasher_core::{Content, Error};
use tokio::time::Instant;

use super::Report;
use super::patience::Patience;
use crate::config::seconds;
use crate::guest::{self, Answer};
use crate::step::shell::path;
use crate::step::target::Target;
use crate::transaction::Session;

/// How often progress is looked at.
const GLANCE: Duration = Duration::from_millis(250);
/// How long a board whose download broke may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Counts what the board says of its progress while no bytes move.
pub(super) fn listen(session: Session<'_>) -> Arc<AtomicU64> {
    let told = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&told);
    session.run.listen(move |line| {
        if let Some(Answer::At(_)) = guest::answer(line) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    told
}

/// Reports progress; returns when nothing moves any more. Slow is not the same as standing still.
pub(super) async fn watch(
    session: Session<'_>,
    content: &Content,
    target: &Target,
    (report, told): (Report<'_>, &AtomicU64),
) -> Error {
    let stall = seconds(session.flasher.config.timeouts.stall);
    let mut patience = Patience::new(stall, target.direct);
    let (mut last, mut moved) = ((0, 0, 0), Instant::now());
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
        let image = report(session, done);
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
