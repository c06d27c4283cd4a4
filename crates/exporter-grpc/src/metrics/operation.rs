//! Operations: calls of clients, and jobs that they ordered.

use std::time::Instant;

use flasher_core::flash::JobKind;
use flasher_core::{Receipt, Verdict};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tonic::Code;

/// Upper bounds of the durations, seconds: from a call to a long flash.
const DURATIONS: [f64; 12] = [0.01, 0.1, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];
/// What `driver_type` may be, by the package of the client's class.
const DRIVER_TYPES: [(&str, &str); 8] = [
    ("jumpstarter_driver_power.", "power"),
    ("jumpstarter_driver_pyserial.", "serial"),
    ("jumpstarter_driver_uboot.", "console"),
    ("jumpstarter_driver_flashers.", "storage"),
    ("jumpstarter_driver_opendal.", "storage"),
    ("jumpstarter_driver_tftp.", "network"),
    ("jumpstarter_driver_http.", "network"),
    ("jumpstarter_driver_composite.", "composite"),
];

/// The kind of a driver, by the import path of the class that speaks to it.
pub(super) fn driver_type(client: &str) -> &'static str {
    DRIVER_TYPES.iter().find(|(package, _)| client.starts_with(package)).map_or("other", |(_, kind)| kind)
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
    result: &'static str,
    driver_type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    operation: &'static str,
    driver_type: &'static str,
    error_type: String,
}

/// Which bytes of streams.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StreamLabels {
    pub(super) driver_type: &'static str,
    pub(super) direction: &'static str,
}

/// The series of operations.
#[derive(Clone)]
pub(super) struct OperationMetrics {
    ended: Family<OperationLabels, Counter>,
    durations: Family<OperationLabels, Histogram>,
    errors: Family<ErrorLabels, Counter>,
}

impl OperationMetrics {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let all = Self {
            ended: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            errors: Family::default(),
        };
        registry.register("jumpstarter_operations", "Operations, by how they ended", all.ended.clone());
        let (name, help) = ("jumpstarter_operation_duration", "Duration of operations");
        registry.register_with_unit(name, help, Unit::Seconds, all.durations.clone());
        let help = "Operations that failed, by what is to blame";
        registry.register("jumpstarter_operation_errors", help, all.errors.clone());
        all
    }

    /// A call has begun.
    pub(super) fn begin(&self, operation: &'static str, client: &str) -> CountedOperation {
        let driver_type = driver_type(client);
        let (metrics, begun) = (self.clone(), Instant::now());
        CountedOperation { metrics, operation, driver_type, begun, end: OperationEnd::Cancelled }
    }

    /// A job has ended that a client ordered.
    pub(super) fn job(&self, receipt: &Receipt) {
        let operation = match receipt.job {
            JobKind::Flash => "flash",
            JobKind::Dump => "dump",
            JobKind::Identify => "identify",
        };
        let error = receipt.class().map(|class| class.to_string());
        let result = match (receipt.verdict, &error) {
            (Verdict::Failed, _) | (_, Some(_)) => "failure",
            (Verdict::Proven | Verdict::Written | Verdict::Identified, None) => "success",
        };
        let labels = OperationLabels { operation, result, driver_type: "storage" };
        self.count(labels, receipt.seconds, error);
    }

    fn count(&self, labels: OperationLabels, seconds: f64, error: Option<String>) {
        self.ended.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(seconds);
        if let Some(error_type) = error {
            let OperationLabels { operation, driver_type, .. } = labels;
            self.errors.get_or_create(&ErrorLabels { operation, driver_type, error_type }).inc();
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
enum OperationEnd {
    /// Its client went away.
    Cancelled,
    Done,
    Failed(Code),
}

/// A call of a client, which counts when it is dropped.
pub(crate) struct CountedOperation {
    metrics: OperationMetrics,
    operation: &'static str,
    driver_type: &'static str,
    begun: Instant,
    end: OperationEnd,
}

impl CountedOperation {
    /// It has this result. Of several the last one counts.
    pub(crate) fn end<T, E>(&mut self, result: Result<T, E>, code: impl FnOnce(&E) -> Code) -> Result<T, E> {
        self.end =
            result.as_ref().map_or_else(|error| OperationEnd::Failed(code(error)), |_| OperationEnd::Done);
        result
    }
}

impl Drop for CountedOperation {
    fn drop(&mut self) {
        let (result, error) = match self.end {
            OperationEnd::Cancelled => ("cancelled", None),
            OperationEnd::Done => ("success", None),
            OperationEnd::Failed(code) => ("failure", Some(error_type(code).to_owned())),
        };
        let labels = OperationLabels { operation: self.operation, result, driver_type: self.driver_type };
        self.metrics.count(labels, self.begun.elapsed().as_secs_f64(), error);
    }
}

/// What a status code says of the cause, in few words for few series.
fn error_type(code: Code) -> &'static str {
    match code {
        Code::DeadlineExceeded => "timeout",
        Code::InvalidArgument | Code::OutOfRange => "argument",
        Code::NotFound | Code::Unimplemented => "unknown-method",
        Code::Aborted | Code::AlreadyExists | Code::FailedPrecondition | Code::ResourceExhausted => "busy",
        Code::Unavailable | Code::Cancelled => "connection",
        Code::PermissionDenied | Code::Unauthenticated => "denied",
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => "device",
    }
}
