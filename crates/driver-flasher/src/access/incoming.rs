//! Bytes of a medium on their way to their reader: a reader that sees their end without an error has had all of them.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flasher_core::{Class, Error, Result};
use tokio::sync::mpsc;

/// The bytes that were asked for, as they come.
#[derive(Debug)]
pub(crate) struct Incoming {
    length: u64,
    taken: u64,
    chunks: mpsc::Receiver<Bytes>,
}

/// Why nothing was made of what came.
pub(crate) enum Broken {
    /// There were too few bytes, or too many.
    Bytes(String),
    /// Something of ours failed.
    Ours(Error),
}

/// Takes all that comes. Runs on a thread that it may block.
pub(crate) type Take = Box<dyn FnOnce(Incoming) -> Result<(), Broken> + Send>;

impl Incoming {
    /// `length` bytes are expected out of `chunks`.
    pub(crate) fn new(length: u64, chunks: mpsc::Receiver<Bytes>) -> Self {
        Self { length, taken: 0, chunks }
    }

    /// The next chunk; blocks its thread until there is one. None at the end.
    ///
    /// # Errors
    /// When there were fewer bytes than expected.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, String> {
        match self.chunks.blocking_recv() {
            Some(chunk) => {
                self.taken += chunk.len() as u64;
                Ok(Some(chunk))
            }
            None if self.taken == self.length => Ok(None),
            None => Err(format!("only {} of {} bytes came", self.taken, self.length)),
        }
    }
}

/// What takes all that comes, and where that what `take` makes of it is found afterwards.
pub(crate) fn take_into<T: Send + 'static>(
    take: impl FnOnce(Incoming) -> Result<T, Broken> + Send + 'static,
) -> (Take, Taken<T>) {
    let made = Arc::new(Mutex::new(None));
    let place = Arc::clone(&made);
    let take = move |incoming| {
        let taken = take(incoming)?;
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
        Ok(())
    };
    (Box::new(take), Taken(made))
}

/// What was made of what came, once all of it was taken.
pub(crate) struct Taken<T>(Arc<Mutex<Option<T>>>);

impl<T> Taken<T> {
    /// What was made of it.
    ///
    /// # Errors
    /// When nothing was taken, which would be a bug.
    pub(crate) fn made(self) -> Result<T> {
        let made = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        made.ok_or_else(|| Error::new(Class::Internal, "what was read was taken by nobody"))
    }
}
