//! The lowest rate of a transfer: a client that is slower would keep a worker or a board from others.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::failure::{CallFailure, CallResult};

/// Bytes that must move within [`WINDOW`] of waiting, unless less is left: 4 KiB/s.
const LEAST: u64 = 256 * 1024;
/// How long the other side may let us wait for them.
const WINDOW: Duration = Duration::from_secs(64);

/// Watches one direction of a transfer. Only waiting for the other side counts, not what our own disk takes.
#[derive(Debug, Default)]
pub(crate) struct MinimumRate {
    waited: Duration,
    moved: u64,
}

impl MinimumRate {
    /// Waits for the other side, until it is too slow.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED when it is.
    pub(crate) async fn wait<T>(&mut self, step: impl Future<Output = T>) -> CallResult<T> {
        let begun = Instant::now();
        let done = tokio::time::timeout(WINDOW.saturating_sub(self.waited), step).await;
        self.waited += begun.elapsed();
        done.map_err(|_| Self::too_slow())
    }

    /// The same on a worker thread, which it blocks.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED when it is too slow.
    pub(crate) fn block_on<T>(&mut self, step: impl Future<Output = T>) -> CallResult<T> {
        let outside =
            |_| CallFailure::new(tonic::Code::Internal, "a transfer runs outside the runtime; this is a bug");
        Handle::try_current().map_err(outside)?.block_on(self.wait(step))
    }

    /// So many bytes have moved.
    pub(crate) fn moved(&mut self, bytes: usize) {
        self.moved += bytes as u64;
        if self.moved >= LEAST {
            *self = Self::default();
        }
    }

    fn too_slow() -> CallFailure {
        CallFailure::new(
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
    async fn wait(minimum_rate: &mut MinimumRate, seconds: u64) -> CallResult<()> {
        minimum_rate.wait(tokio::time::sleep(Duration::from_secs(seconds))).await
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_moves_enough_gets_a_new_window() {
        let mut minimum_rate = MinimumRate::default();
        wait(&mut minimum_rate, 40).await.unwrap();
        tokio::time::advance(10 * WINDOW).await; // our own time does not count
        minimum_rate.moved(LEAST as usize - 1);
        assert_eq!(
            wait(&mut minimum_rate, 40).await.unwrap_err().text,
            "less than 256 KiB moved in 64 s, so the transfer was ended"
        );
        let mut minimum_rate = MinimumRate::default();
        wait(&mut minimum_rate, 40).await.unwrap();
        minimum_rate.moved(LEAST as usize);
        wait(&mut minimum_rate, 40).await.unwrap();
    }
}
