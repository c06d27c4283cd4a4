//! An image on its way: one task decodes it into instructions, the way to the medium carries them out.

use std::sync::Arc;

use flasher_core::{Error, Result};
use tokio::sync::mpsc;

use super::stream::InstructionSender;
use super::unfinished::{Outcome, Unfinished};
use crate::access::{MediumAccess, Target, WriteProgress};
use crate::blocking::AbortOnDrop;
use crate::job::Session;

/// Instructions that wait for the way to the medium, at most: each is up to 1 MiB.
const WAITING: usize = 4;

/// Why an image was not written.
pub(super) enum Failed {
    /// The image, or what is to be done with it, is to blame.
    Image(Error),
    /// The board, its medium or the way there.
    Board(Error),
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Image(error) | Failed::Board(error) => error,
        }
    }
}

/// Writes what `produce` hands to the sender that it gets; gives what it has made.
pub(super) async fn transfer<T: Send + 'static, F: Future<Output = Outcome<T>> + Send + 'static>(
    session: Session<'_>,
    produce: impl FnOnce(InstructionSender) -> F,
    target: &Target,
    progress: Arc<dyn WriteProgress>,
    access: &mut dyn MediumAccess,
) -> Result<T, Failed> {
    let (sender, instructions) = mpsc::channel(WAITING);
    let mut producer = AbortOnDrop(tokio::spawn(produce(sender)));
    let written = access.write(target, instructions, progress, session.run.writes.permit()).await;
    let made = match &written {
        Err(_) if !producer.0.is_finished() => Err(Unfinished::NotTaken),
        _ => producer.decoded().await,
    };
    // The image's own failure is the cause; what the board says of a broken stream is its consequence.
    match (made, written) {
        (Err(Unfinished::NotTaken), Err(board)) => Err(Failed::Board(board)),
        (Err(unfinished), _) => Err(Failed::Image(unfinished.into())),
        (Ok(_), Err(board)) => Err(Failed::Board(board)),
        (Ok(made), Ok(evidence)) => {
            session.run.record.medium(|medium| evidence.note(medium));
            Ok(made)
        }
    }
}
