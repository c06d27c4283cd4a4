//! The serial line, for a tab that takes it.

use bytes::Bytes;
use flasher_core::Error;

use super::request::BoardAction;
use crate::board::ShownBoard;

/// Longest text that is typed at once, bytes.
const LONGEST: usize = 4096;

/// Takes the line for a tab, types on it, or lets it go.
pub(super) async fn act(
    action: &BoardAction<'_>,
    board: &ShownBoard,
    what: &str,
    body: Bytes,
) -> Result<(), Error> {
    let refused = |text: &str| Error::config(text).retryable(false);
    let path = board.nodes.serial.as_deref().ok_or_else(|| refused("this board has no serial line"))?;
    let tab = action.tab.as_deref().filter(|tab| board.line.knows(tab));
    let tab = tab.ok_or_else(|| refused("this page has no connection now; wait until it is live again"))?;
    match what {
        "take" => {
            let line = action.client(board).open(path).await?;
            board.console.until_heard().await;
            board.line.take(tab, line)
        }
        "write" if body.len() > LONGEST => Err(refused("this is too much text at once")),
        "write" => board.line.write(tab, body),
        "release" => {
            board.line.release(tab);
            Ok(())
        }
        _ => Err(refused("a line is taken, written or let go")),
    }
}
