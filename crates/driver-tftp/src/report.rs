//! The reports about a transfer: its beginning, progress and end.

use std::net::SocketAddr;
use std::time::Instant;

use flasher_core::{Transfer, TransferLog, TransferState, safe};

use crate::tally::Tally;

/// Who asked for what, and where the outcome is reported.
#[derive(Clone, Debug)]
pub(crate) struct TransferReport {
    log: TransferLog,
    blank: Transfer,
    at: Instant,
}

impl TransferReport {
    /// `file` is taken as it arrived; here it is made safe to show, and cut to 256 characters.
    pub(crate) fn new(log: TransferLog, peer: SocketAddr, file: &[u8]) -> Self {
        let file = safe::short(&String::from_utf8_lossy(file), 256);
        let state = TransferState::Begun { length: None, options: String::new() };
        Self { log, blank: Transfer { protocol: "tftp".into(), peer, file, state }, at: Instant::now() }
    }

    /// `length` is that of the file, where it is known.
    pub(crate) fn begun(&self, length: Option<u64>, options: String) {
        self.record(TransferState::Begun { length, options });
    }

    pub(crate) fn done(&self, tally: Tally) {
        let Tally { bytes, resends, round_trip, .. } = tally;
        let round_trip = round_trip.map(|trip| trip.as_secs_f64());
        let seconds = self.at.elapsed().as_secs_f64();
        self.record(TransferState::Done { bytes, resends, seconds, round_trip });
    }

    /// Everything was sent, and the last acknowledgement never came.
    pub(crate) fn unconfirmed(&self, tally: Tally) {
        let Tally { bytes, resends, .. } = tally;
        self.record(TransferState::Unconfirmed { bytes, resends, seconds: self.at.elapsed().as_secs_f64() });
    }

    /// The client wanted the length only.
    pub(crate) fn size_asked(&self, length: u64) {
        self.record(TransferState::SizeAsked { length });
    }

    pub(crate) fn failed(&self, bytes: u64, reason: impl Into<String>) {
        self.record(TransferState::Failed { bytes, reason: reason.into() });
    }

    fn record(&self, state: TransferState) {
        self.log.record(Transfer { state, ..self.blank.clone() });
    }
}
