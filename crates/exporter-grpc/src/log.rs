//! What clients can read of the exporter's log. Every subscriber gets every record; one who is slow loses the oldest.

use tokio::sync::broadcast;

use crate::proto::{LogSource, LogStreamResponse};

/// Records kept for a slow subscriber, Jumpstarter's own number.
const KEPT: usize = 256;

/// The log of one session.
#[derive(Clone, Debug)]
pub(crate) struct Log(broadcast::Sender<LogStreamResponse>);

impl Default for Log {
    fn default() -> Self {
        Self(broadcast::channel(KEPT).0)
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

    fn put(&self, source: LogSource, message: String) {
        tracing::info!("{message}");
        let record = LogStreamResponse {
            uuid: String::new(),
            severity: "INFO".to_owned(),
            message,
            source: Some(source.into()),
        };
        // Fails when no client listens, which is the usual case.
        self.0.send(record).ok();
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<LogStreamResponse> {
        self.0.subscribe()
    }
}
