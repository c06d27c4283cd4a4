//! The least pace a transfer must keep: whoever moves next to nothing holds a worker or a board that others wait for.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Failure;

/// Bytes that must move within [`WINDOW`], unless less is left: 4 KiB/s.
const LEAST: u64 = 256 * 1024;
/// How long they may take.
const WINDOW: Duration = Duration::from_secs(64);

/// Watches one direction of a transfer.
#[derive(Debug)]
pub(crate) struct Pace {
    since: Instant,
    moved: u64,
}

impl Pace {
    /// The transfer begins.
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), moved: 0 }
    }

    /// When it is too slow unless more has moved.
    pub(crate) fn deadline(&self) -> Instant {
        self.since + WINDOW
    }

    /// So many bytes have moved.
    pub(crate) fn moved(&mut self, bytes: usize) {
        self.moved += bytes as u64;
        if self.moved >= LEAST {
            *self = Self::new();
        }
    }

    /// Why the transfer is ended.
    pub(crate) fn too_slow() -> Failure {
        Failure::new(
            tonic::Code::DeadlineExceeded,
            format!("the client moved less than {} KiB in {} s", LEAST / 1024, WINDOW.as_secs()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_moves_enough_gets_a_new_window() {
        let mut pace = Pace::new();
        let first = pace.deadline();
        tokio::time::advance(WINDOW / 2).await;
        pace.moved(LEAST as usize - 1);
        assert_eq!(pace.deadline(), first, "one byte is missing");
        pace.moved(1);
        assert_eq!(pace.deadline(), first + WINDOW / 2);
    }
}
