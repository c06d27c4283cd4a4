//! A terminal in raw mode: every key goes to the board.

use std::io;

use flasher_core::{Error, Result};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// A terminal in raw mode; its former mode comes back when this is dropped.
pub(super) struct RawTerminal {
    former: Termios,
}

impl RawTerminal {
    /// Enters raw mode on standard input.
    ///
    /// # Errors
    /// When it is no terminal.
    pub(super) fn enter() -> Result<Self> {
        let refused =
            |error: rustix::io::Errno| Error::infrastructure("the terminal has no raw mode").because(error);
        let former = tcgetattr(io::stdin()).map_err(refused)?;
        let mut raw = former.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw).map_err(refused)?;
        Ok(Self { former })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(io::stdin(), OptionalActions::Now, &self.former) {
            tracing::warn!(%error, "the terminal keeps its raw mode; `reset` mends it");
        }
    }
}
