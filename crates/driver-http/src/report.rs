//! The reports about a transfer: its beginning, progress and end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use flasher_core::{Transfer, TransferLog, TransferState, safe};

use crate::clients::RequestGuard;

/// Who asked for what, and where the outcome is reported.
#[derive(Clone, Debug)]
pub(crate) struct TransferReport {
    log: TransferLog,
    blank: Transfer,
    /// The connection has a request as long as any part of its answer is under way.
    _answering: Arc<RequestGuard>,
}

impl TransferReport {
    /// `file` is taken as it arrived; here it is made safe to show, and cut to 256 characters.
    pub(crate) fn new(log: TransferLog, peer: SocketAddr, file: &str, answering: RequestGuard) -> Self {
        let file = safe::short(file, 256);
        let state = TransferState::Begun { length: None, options: String::new() };
        let blank = Transfer { protocol: "http".into(), peer, file, state };
        Self { log, blank, _answering: Arc::new(answering) }
    }

    pub(crate) fn begun(&self, length: Option<u64>, options: String) {
        self.record(TransferState::Begun { length, options });
    }

    pub(crate) fn failed(&self, bytes: u64, reason: impl Into<String>) {
        self.record(TransferState::Failed { bytes, reason: reason.into() });
    }

    pub(crate) fn done(&self, bytes: u64, begun: Instant) {
        let seconds = begun.elapsed().as_secs_f64();
        self.record(TransferState::Done { bytes, resends: 0, seconds, round_trip: None });
    }

    fn record(&self, state: TransferState) {
        self.log.record(Transfer { state, ..self.blank.clone() });
    }
}
