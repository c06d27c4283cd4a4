//! Work that blocks, kept off the runtime.

use std::sync::{Arc, Weak};

use crate::Error;

/// Works in a thread, which can see that its caller is gone.
pub(crate) async fn blocking<T: Send + 'static>(
    label: &str,
    work: impl FnOnce(&str, &Weak<()>) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (told, waiting) = (label.to_owned(), Arc::new(()));
    let alive = Arc::downgrade(&waiting);
    let task = tokio::task::spawn_blocking(move || work(&told, &alive));
    let done = task.await.map_err(|e| Error::Machine { label: label.into(), reason: e.to_string() })?;
    drop(waiting);
    done
}
