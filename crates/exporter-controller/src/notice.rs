//! What travels between the parts of an exporter under a controller, and to its operator.

use std::fmt;
use std::sync::Arc;

use exporter_grpc::{LeasedExporter, SessionEnds};

use crate::machine::LeaseEvent;

/// A driver tree of one lease.
#[derive(Debug)]
pub struct OpenBench {
    /// The tree and its clients.
    pub exporter: Arc<LeasedExporter>,
    /// Hears when a client ends its session.
    pub ends: SessionEnds,
}

/// What the operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The controller knows this exporter, and that it is free.
    Available,
    /// A lease has begun; for whom.
    LeaseBegun {
        /// What the controller calls it.
        lease: String,
        /// Who has it.
        client: String,
    },
    /// It is over.
    LeaseOver {
        /// What the controller calls it.
        lease: String,
    },
    /// The controller does not know a call; what it is for is left out.
    OldController {
        /// The call.
        call: &'static str,
    },
    /// The lab collects logs and metrics there; none are sent.
    Telemetry {
        /// Where, as the controller says.
        endpoints: Vec<String>,
    },
    /// The controller hands the clients of a lease to another exporter: a second one has the same identity.
    Rival {
        /// What the controller calls the lease.
        lease: String,
    },
    /// Something does not work, and is tried again.
    Trouble {
        /// What does not work.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// The controller answers again.
    ControllerBack,
}

/// Where notices go.
#[derive(Clone)]
pub struct Notices(Arc<dyn Fn(Notice) + Send + Sync>);

impl Notices {
    /// Gives each notice to `sink`, which must not wait.
    pub fn new(sink: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    pub(crate) fn send(&self, notice: Notice) {
        tracing::debug!(?notice, "notice");
        (self.0)(notice);
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices(_)")
    }
}

/// What reaches the state machine.
#[derive(Debug)]
pub(crate) enum RunnerInput {
    Event(LeaseEvent),
    /// The driver tree of the lease.
    Opened(OpenBench),
}
