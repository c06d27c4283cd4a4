//! The outlet that a simulated board is plugged into: a file, turned by a switch that knows nothing of the board.

use std::path::PathBuf;
use std::sync::Weak;
use std::time::Duration;

use crate::board::SimBoard;
use crate::error::SimError;

/// How soon the board notices.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Gives the board power while the file says `on`, for as long as there is a board. A file that is not there says `off`.
pub(crate) async fn follow(outlet: PathBuf, board: Weak<SimBoard>) {
    let mut was = false;
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let Some(board) = board.upgrade() else { return };
        let is = match tokio::fs::read_to_string(&outlet).await {
            Ok(text) if text.trim() == "on" => true,
            Ok(text) if text.trim() == "off" => false,
            Ok(_) => was, // just being written
            Err(_) => false,
        };
        if is != was
            && let Err(error) = turn(&board, is).await
        {
            tracing::warn!(%error, "the simulated board does not follow its outlet");
        }
        was = is;
    }
}

async fn turn(board: &SimBoard, on: bool) -> Result<(), SimError> {
    if on { board.switch_on().await } else { board.switch_off().await }
}
