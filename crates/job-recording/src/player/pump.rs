//! Plays entries when they are due.

use std::sync::Arc;

use super::playing::Playing;
use super::score::Next;

/// Plays until the recording is over.
pub(super) async fn run(shared: Arc<Playing>) {
    loop {
        let changed = shared.changed.notified();
        let next = shared.lock().advance();
        match next {
            Next::Played => {}
            Next::Over => return,
            Next::Wait => changed.await,
            Next::At(due) => tokio::time::sleep_until(due).await,
        }
    }
}
