//! What the devices of a recording share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::score::Score;

/// What the devices share.
#[derive(Debug)]
pub(super) struct Playing {
    pub(super) score: Mutex<Score>,
    /// Something was done, or opened.
    pub(super) changed: Notify,
}

impl Playing {
    pub(super) fn lock(&self) -> MutexGuard<'_, Score> {
        self.score.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
