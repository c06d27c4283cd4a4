//! Work that waits for the disk, on a thread of its own.

use flasher_core::{Class, Error, Result};

/// Runs file work off the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|error| {
        Err(Error::new(Class::Internal, "a worker thread ended unexpectedly").because(error))
    })
}
