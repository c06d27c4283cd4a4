//! Work beside a step: on a thread of its own where it waits for the disk, and never longer than who asked for it waits.

use flasher_core::{Class, Error, Result};
use tokio::task::JoinHandle;

/// A task that ends when this is dropped: the step that asked for it has ended early.
pub(crate) struct AbortOnDrop<T>(pub(crate) JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T, E: From<Error>> AbortOnDrop<Result<T, E>> {
    /// Waits for the end of a task that decodes.
    pub(crate) async fn decoded(&mut self) -> Result<T, E> {
        (&mut self.0).await.unwrap_or_else(|error| {
            Err(Error::new(Class::Internal, "the decoding task ended unexpectedly").because(error).into())
        })
    }
}

impl<T> AbortOnDrop<T> {
    /// Waits for the end of a task that does not fail.
    pub(crate) async fn joined(&mut self) -> Result<T> {
        (&mut self.0).await.map_err(|error| {
            Error::new(Class::Internal, "a task beside the step ended unexpectedly").because(error)
        })
    }
}

/// Runs file work off the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|error| {
        Err(Error::new(Class::Internal, "a worker thread ended unexpectedly").because(error))
    })
}
