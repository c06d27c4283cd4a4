//! A running decoding as its consumer sees it: extents, then a summary.

use tokio::task::AbortHandle;

use crate::pipeline::backlog::{Consumer, Event};
use crate::{Error, Extent, Summary};

/// Decodes an image from its beginning, at once and ahead of its consumer: 4 MiB are held in memory, and as much as
/// there is when a copy goes into the cache. Dropping it stops the work and closes the source.
#[derive(Debug)]
pub struct Decoding {
    label: String,
    events: Consumer,
    transfer: Option<AbortHandle>,
    summary: Option<Summary>,
}

impl Decoding {
    pub(crate) fn new(label: String, events: Consumer, transfer: Option<AbortHandle>) -> Decoding {
        Decoding { label, events, transfer, summary: None }
    }

    /// The next extent; `None` after the last, when the whole image is proven. May be cancelled without loss.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the source; after an error there is no more than [`Error::Ended`].
    pub async fn next(&mut self) -> Result<Option<Extent>, Error> {
        if self.summary.is_some() {
            return Ok(None);
        }
        let event = self.events.next().await.map_err(|error| self.unreadable(&error))?;
        match event.ok_or_else(|| Error::Ended { label: self.label.clone() })?? {
            Event::Extent(extent) => Ok(Some(extent)),
            Event::End(summary) => {
                self.summary = Some(summary);
                Ok(None)
            }
        }
    }

    /// What is wrong with the source, if that has shown already, however many extents were not taken yet. There are none after it.
    pub fn failure(&mut self) -> Option<Error> {
        self.events.failure()
    }

    fn unreadable(&self, error: &std::io::Error) -> Error {
        let reason = format!("what was decoded cannot be read again from its copy in the cache: {error}");
        Error::Machine { label: self.label.clone(), reason }
    }

    /// What was found out, once [`Decoding::next`] gave `None`.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        // The thread notices the closed channel; only a silent server could keep it waiting.
        if let Some(transfer) = &self.transfer {
            transfer.abort();
        }
    }
}
