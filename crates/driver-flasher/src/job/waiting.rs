//! Long waits tell how they stand.

use std::pin::pin;
use std::time::Duration;

use board_console::Transcript;
use flasher_core::Event;
use tokio::time::Instant;

use super::Session;

/// How often a wait tells how it stands.
const PACE: Duration = Duration::from_secs(1);

/// The outcome of `work`, which waits for `what` and gives up after `within`.
pub(crate) async fn waiting<T>(
    session: Session<'_>,
    what: &str,
    within: Duration,
    transcript: &Transcript,
    work: impl Future<Output = T>,
) -> T {
    let (begun, before) = (Instant::now(), transcript.heard());
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(PACE) => {}
        }
        session.run.report(Event::Waiting {
            step: session.run.record.step_now(),
            what: what.to_owned(),
            heard: transcript.heard() - before,
            left: within.saturating_sub(begun.elapsed()).as_secs_f64(),
        });
    }
}
