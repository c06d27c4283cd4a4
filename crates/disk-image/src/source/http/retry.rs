//! How often and how long to wait before a server is asked again.

use std::time::Duration;

use crate::{Blamed, Error};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Tries that are left until there is progress, each after a longer pause.
pub(crate) struct RetryBudget {
    retries: u32,
    left: u32,
    pause: Duration,
}

impl RetryBudget {
    /// As many tries after the first one.
    pub(crate) fn new(retries: u32) -> RetryBudget {
        RetryBudget { retries, left: retries, pause: FIRST_PAUSE }
    }

    /// Waits before the next try; gives the error back if trying again cannot help or there were tries enough.
    pub(crate) async fn pause(&mut self, error: Error) -> Result<(), Error> {
        if !error.blame().is_retryable || self.left == 0 {
            return Err(error);
        }
        self.left -= 1;
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }

    /// There was progress: begin anew.
    pub(crate) fn renew(&mut self) {
        *self = RetryBudget::new(self.retries);
    }
}
