//! What the job saw of its board in the attempt at hand.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use board_console::Transcript;
use failure_diagnosis::{BoardNetwork, ConsoleView};
use job_recording::ServerName;

use crate::network::BoardAddress;

/// What was seen in the attempt at hand, and is not kept elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Views(Mutex<InAttempt>);

#[derive(Debug, Default)]
pub(super) struct InAttempt {
    pub(super) console: ConsoleView,
    /// Bytes of the console when the power was switched on.
    pub(super) heard_before: u64,
    pub(super) tftp: Option<SocketAddr>,
    pub(super) http: Option<SocketAddr>,
    pub(super) network: Option<BoardNetwork>,
    pub(super) is_by_hand: bool,
    pub(super) is_caught: bool,
    /// What the image's server failed of last, and when.
    pub(super) source: Option<(Instant, String)>,
}

impl Views {
    /// Another attempt begins, in which nothing was seen yet.
    pub(super) fn begin(&self) {
        *self.seen() = InAttempt::default();
    }

    /// The power was switched off; `by_hand` when a person does it.
    pub(crate) fn power_off(&self, by_hand: bool) {
        let mut seen = self.seen();
        seen.console.power_off();
        (seen.is_by_hand, seen.is_caught) = (by_hand, false);
    }

    /// The power is switched on; `while_off` bytes came while it was to be off.
    pub(crate) fn power_on(&self, transcript: &Transcript, while_off: u64) {
        let mut seen = self.seen();
        seen.console.power_off();
        seen.console.heard_while_off = while_off;
        seen.heard_before = transcript.heard();
    }

    /// The boot loader is at its prompt.
    pub(crate) fn caught(&self) {
        self.seen().is_caught = true;
    }

    /// The board has its place in its network.
    pub(crate) fn has_address(&self, board: &BoardAddress) {
        self.seen().network =
            Some(BoardNetwork { address: board.board, netmask: board.netmask, gateway: board.gateway });
    }

    /// The board finds a server at this address.
    pub(crate) fn faces(&self, server: ServerName, address: SocketAddr) {
        let mut seen = self.seen();
        match server {
            ServerName::Tftp => seen.tftp = Some(address),
            ServerName::Http => seen.http = Some(address),
        }
    }

    /// After a failure the board's Linux was asked something; whether it answered.
    pub(crate) fn answers(&self, it_does: bool) {
        self.seen().console.answers = Some(it_does);
    }

    /// The kernel's log has this line.
    pub(crate) fn kernel_line(&self, line: &str) {
        self.seen().console.line(&flasher_core::safe::line(line));
    }

    /// The image's server failed, and is asked again.
    pub(crate) fn source_failed(&self, reason: String) {
        self.seen().source = Some((Instant::now(), reason));
    }

    /// The board printed a line.
    pub(super) fn line(&self, line: &str) {
        self.seen().console.line(line);
    }

    /// Everything of it.
    pub(super) fn seen(&self) -> MutexGuard<'_, InAttempt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
