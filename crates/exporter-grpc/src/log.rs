//! What clients can read of the exporter's log. Every subscriber gets every record; one who is slow loses the oldest.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::proto::{LogSource, LogStreamResponse};

/// Records kept for a slow subscriber, Jumpstarter's own number.
const KEPT: usize = 256;

/// Lines of hooks that are kept for the first subscriber, who comes while a hook runs already.
const EARLY: usize = 256;

/// The log of one session.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    records: broadcast::Sender<LogStreamResponse>,
    /// What hooks printed before the first subscriber came; none from then on.
    early: Arc<Mutex<Option<Vec<LogStreamResponse>>>>,
}

impl Default for Log {
    fn default() -> Self {
        Self { records: broadcast::channel(KEPT).0, early: Arc::new(Mutex::new(Some(Vec::new()))) }
    }
}

impl Log {
    /// Something a driver did.
    pub(crate) fn driver(&self, message: String) {
        self.put(LogSource::Driver, message);
    }

    /// Something the exporter itself did.
    pub(crate) fn system(&self, message: String) {
        self.put(LogSource::System, message);
    }

    /// A line that a hook of the lab printed.
    pub(crate) fn hook(&self, is_before: bool, line: String) {
        let source = if is_before { LogSource::BeforeLeaseHook } else { LogSource::AfterLeaseHook };
        let mut early = self.early();
        match early.as_mut() {
            Some(early) if early.len() < EARLY => {
                tracing::info!("{line}");
                early.push(record(source, line));
            }
            Some(_) => {}
            None => self.put(source, line),
        }
    }

    fn put(&self, source: LogSource, message: String) {
        tracing::info!("{message}");
        // Fails when no client listens, which is the usual case.
        self.records.send(record(source, message)).ok();
    }

    /// What hooks printed before the first subscriber came, if this is the first; and everything from now on.
    pub(crate) fn subscribe(&self) -> (Vec<LogStreamResponse>, broadcast::Receiver<LogStreamResponse>) {
        let mut early = self.early();
        (early.take().unwrap_or_default(), self.records.subscribe())
    }

    fn early(&self) -> MutexGuard<'_, Option<Vec<LogStreamResponse>>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn record(source: LogSource, message: String) -> LogStreamResponse {
    LogStreamResponse {
        uuid: String::new(),
        severity: "INFO".to_owned(),
        message,
        source: Some(source.into()),
    }
}
