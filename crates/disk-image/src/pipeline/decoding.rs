//! A running decoding as its consumer sees it: extents, then a summary.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

use crate::pipeline::backlog::{Consumer, Event};
use crate::{Error, Extent, Summary};

/// Decodes an image from its beginning, at once and ahead of its consumer: 4 MiB are held in memory, and as much as
/// there is when a copy goes into the cache. Dropping it stops the work and closes the source.
#[derive(Debug)]
pub struct Decoding {
    label: String,
    events: Consumer,
    tasks: Tasks,
    summary: Option<Summary>,
}

/// What works for a decoding beside its thread, and ends with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<TaskList>>);

#[derive(Debug, Default)]
struct TaskList {
    running: Vec<AbortHandle>,
    is_over: bool,
}

impl Tasks {
    /// Adds one; it is ended at once when all are over already.
    pub(crate) fn add(&self, task: AbortHandle) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match list.is_over {
            true => task.abort(),
            false => list.running.push(task),
        }
    }

    fn end(&self) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.is_over = true;
        list.running.drain(..).for_each(|task| task.abort());
    }
}

impl Decoding {
    pub(crate) fn new(label: String, events: Consumer, tasks: Tasks) -> Decoding {
        Decoding { label, events, tasks, summary: None }
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
        self.tasks.end();
    }
}
