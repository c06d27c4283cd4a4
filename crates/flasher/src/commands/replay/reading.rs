//! Files are read away from the runtime.

use flasher_core::{Class, Error, Result};

/// Runs what blocks.
///
/// # Errors
/// Those of the work.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(Error::new(Class::Internal, "reading a recording broke off").because(error))
    })
}
