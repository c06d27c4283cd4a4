//! What a monitoring system reads of an exporter, as OpenMetrics: Jumpstarter's series, and what only an exporter that flashes by itself
//! can count.

mod job;
mod operation;

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use self::job::{JobMetrics, RunningJob};
pub(crate) use self::operation::CountedOperation;
use self::operation::{OperationMetrics, StreamLabels};

/// Counts of one exporter; clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<AllMetrics>);

struct AllMetrics {
    registry: Registry,
    operations: OperationMetrics,
    streams: Family<StreamLabels, Counter>,
    sessions: Gauge,
    jobs: JobMetrics,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics(_)")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new("")
    }
}

impl Metrics {
    /// Nothing counted yet. `exporter` is what the exporter is called; all series have it as a label.
    pub fn new(exporter: &str) -> Self {
        let mut registry =
            Registry::with_labels([("exporter".into(), exporter.to_owned().into())].into_iter());
        let (streams, sessions) = (Family::default(), Gauge::default());
        let operations = OperationMetrics::registered(&mut registry);
        let help = "Bytes of drivers' streams, sent to clients (tx) and received from them (rx)";
        registry.register_with_unit("jumpstarter_stream", help, Unit::Bytes, Family::clone(&streams));
        let help = "Sessions: leases under a controller, else connections of clients";
        registry.register("jumpstarter_active_sessions", help, sessions.clone());
        let jobs = JobMetrics::registered(&mut registry);
        Self(Arc::new(AllMetrics { registry, operations, streams, sessions, jobs }))
    }

    /// Everything, as OpenMetrics text.
    pub fn text(&self) -> String {
        let mut shown = String::new();
        if let Err(error) = text::encode(&mut shown, &self.0.registry) {
            tracing::error!(%error, "metrics cannot be written as text");
        }
        shown
    }

    /// A session has begun; it is over when this is dropped.
    pub(crate) fn session(&self) -> CountedSession {
        self.0.sessions.inc();
        CountedSession(self.0.sessions.clone())
    }

    /// A client calls `method` of a node whose client class is `client`. It counts when this is dropped.
    pub(crate) fn operation(&self, method: &'static str, client: &str) -> CountedOperation {
        self.0.operations.begin(method, client)
    }

    /// Counts the bytes of a stream of such a node.
    pub(crate) fn stream(&self, client: &str) -> StreamCount {
        let of = |direction| {
            let labels = StreamLabels { driver_type: operation::driver_type(client), direction };
            self.0.streams.get_or_create_owned(&labels)
        };
        StreamCount { sent: of("tx"), received: of("rx") }
    }

    /// A job runs until this is dropped.
    pub(crate) fn running_job(&self) -> RunningJob {
        self.0.jobs.begin()
    }

    /// A job that a client ordered has ended; the order counts as an operation.
    pub(crate) fn ordered_job(&self, receipt: &flasher_core::Receipt) {
        self.0.operations.job(receipt);
    }

    /// A job has ended.
    pub(crate) fn job(&self, receipt: &flasher_core::Receipt) {
        self.0.jobs.end(receipt);
    }
}

/// A session that counts as active.
#[derive(Debug)]
pub(crate) struct CountedSession(Gauge);

impl Drop for CountedSession {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Bytes of one stream, as they go.
#[derive(Clone, Debug)]
pub(crate) struct StreamCount {
    sent: Counter,
    received: Counter,
}

impl StreamCount {
    /// So many bytes went to the client.
    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.inc_by(bytes as u64);
    }

    /// So many bytes came from the client.
    pub(crate) fn received(&self, bytes: usize) {
        self.received.inc_by(bytes as u64);
    }
}

#[cfg(test)]
mod tests;
