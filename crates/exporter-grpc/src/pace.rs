//! The least pace a transfer must keep: whoever moves next to nothing holds a worker or a board that others wait for.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::failure::{Failure, Outcome};

/// Bytes that must move within [`WINDOW`] of waiting, unless less is left: 4 KiB/s.
const LEAST: u64 = 256 * 1024;
/// How long the other side may let us wait for them.
const WINDOW: Duration = Duration::from_secs(64);

/// Watches one direction of a transfer. Only waiting for the other side counts, not what our own disk takes.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    waited: Duration,
    moved: u64,
}

impl Pace {
    /// Waits for the other side, until it is too slow.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED when it is.
    pub(crate) async fn wait<T>(&mut self, step: impl Future<Output = T>) -> Outcome<T> {
        let begun = Instant::now();
        let done = tokio::time::timeout(WINDOW.saturating_sub(self.waited), step).await;
        self.waited += begun.elapsed();
        done.map_err(|_| Self::too_slow())
    }

    /// The same on a worker thread, which it blocks.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED when it is too slow.
    pub(crate) fn block_on<T>(&mut self, step: impl Future<Output = T>) -> Outcome<T> {
        let outside =
            |_| Failure::new(tonic::Code::Internal, "a transfer runs outside the runtime; this is a bug");
        Handle::try_current().map_err(outside)?.block_on(self.wait(step))
    }

    /// So many bytes have moved.
    pub(crate) fn moved(&mut self, bytes: usize) {
        self.moved += bytes as u64;
        if self.moved >= LEAST {
            *self = Self::default();
        }
    }

    fn too_slow() -> Failure {
        Failure::new(
            tonic::Code::DeadlineExceeded,
            format!(
                "less than {} KiB moved in {} s, so the transfer was ended",
                LEAST / 1024,
                WINDOW.as_secs()
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits for something that comes after `seconds`.
    async fn wait(pace: &mut Pace, seconds: u64) -> Outcome<()> {
        pace.wait(tokio::time::sleep(Duration::from_secs(seconds))).await
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_moves_enough_gets_a_new_window() {
        let mut pace = Pace::default();
        wait(&mut pace, 40).await.unwrap();
        tokio::time::advance(10 * WINDOW).await; // our own time does not count
        pace.moved(LEAST as usize - 1);
        assert_eq!(
            wait(&mut pace, 40).await.unwrap_err().text,
            "less than 256 KiB moved in 64 s, so the transfer was ended"
        );
        let mut pace = Pace::default();
        wait(&mut pace, 40).await.unwrap();
        pace.moved(LEAST as usize);
        wait(&mut pace, 40).await.unwrap();
    }
}
