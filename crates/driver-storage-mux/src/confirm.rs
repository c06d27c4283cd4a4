//! Waits until a mux reports the position that was ordered.

use std::future::Future;
use std::time::Duration;

use flasher_core::{MuxPosition, Result};
use tokio::time::{Instant, sleep};

use crate::error::Error;

/// How often the position is read while it is not the one that was ordered.
const POLL: Duration = Duration::from_millis(200);

/// Asks until the position is `ordered`, for as long as `within`. A mux that cannot report its position is believed.
pub(crate) async fn confirm<F: Future<Output = Result<Option<MuxPosition>>>>(
    ordered: MuxPosition,
    within: Duration,
    ask: impl Fn() -> F,
) -> Result<()> {
    let deadline = Instant::now() + within;
    loop {
        match ask().await? {
            Some(reported) if reported != ordered && Instant::now() >= deadline => {
                return Err(Error::Position { ordered, reported, seconds: within.as_secs_f64() }.into());
            }
            Some(reported) if reported != ordered => sleep(POLL).await,
            _ => return Ok(()),
        }
    }
}
