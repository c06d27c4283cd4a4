//! What the file servers saw, put beside what the board said: most of a diagnosis.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use failure_diagnosis::sentence;
use flasher_core::{Event, Progress, Transfer, TransferLog, TransferState};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::load_ways::LoadCost;

/// How many transfers are remembered.
const REMEMBERED: usize = 200;

/// The transfers of one attempt, newest last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence(Arc<Transfers>);

#[derive(Debug, Default)]
struct Transfers {
    seen: Mutex<VecDeque<Transfer>>,
    /// Another transfer, or another state of one, was remembered.
    changed: Notify,
}

impl Evidence {
    /// A log that remembers every transfer and reports it as an event.
    pub(crate) fn log(&self, progress: Arc<dyn Progress>) -> TransferLog {
        let seen = self.clone();
        TransferLog::new(move |transfer| {
            seen.remember(transfer.clone());
            progress.report(Event::Transfer(transfer));
        })
    }

    /// Another attempt begins: what was seen before does not count.
    pub(crate) fn forget(&self) {
        self.seen().clear();
    }

    /// The transfers so far, each event of theirs, oldest first.
    pub(crate) fn transfers(&self) -> Vec<Transfer> {
        self.seen().iter().cloned().collect()
    }

    fn remember(&self, transfer: Transfer) {
        let mut seen = self.seen();
        if seen.len() == REMEMBERED {
            seen.pop_front();
        }
        seen.push_back(transfer);
        drop(seen);
        self.0.changed.notify_waiters();
    }

    /// One sentence on what the server of `protocol` saw of `file`.
    pub(crate) fn about(&self, protocol: &str, file: &str) -> String {
        let seen = self.seen();
        let of_protocol = || seen.iter().rev().filter(|transfer| transfer.protocol == protocol);
        match of_protocol().find(|transfer| transfer.file.trim_start_matches('/') == file) {
            Some(transfer) => sentence(transfer),
            None => match of_protocol().next() {
                Some(other) => format!(
                    "no {protocol} request for `{file}` arrived; the last one was from {} for `{}`",
                    other.peer.ip(),
                    other.file
                ),
                None => format!("no {protocol} request arrived at all"),
            },
        }
    }

    /// Whether the last transfer of `file` ended early.
    pub(crate) fn broke(&self, protocol: &str, file: &str) -> bool {
        matches!(self.last(protocol, file), Some(TransferState::Failed { .. }))
    }

    /// Whether the last transfer of `file` was served to its end.
    pub(crate) fn whole(&self, protocol: &str, file: &str) -> bool {
        matches!(self.last(protocol, file), Some(TransferState::Done { .. }))
    }

    /// Whether a request for `file` arrived.
    pub(crate) fn saw(&self, protocol: &str, file: &str) -> bool {
        self.last(protocol, file).is_some()
    }

    /// What the last transfer of `file` has cost, when it came to its end.
    pub(crate) fn cost(&self, protocol: &str, file: &str) -> Option<LoadCost> {
        match self.last(protocol, file)? {
            TransferState::Done { bytes, resends, seconds, .. }
            | TransferState::Unconfirmed { bytes, resends, seconds } => {
                Some(LoadCost { bytes, seconds, resends })
            }
            _ => None,
        }
    }

    /// The same, once the server has seen the end too: the board may say that it has everything before the server gets its last
    /// acknowledgement. `None` when the server did not see it `within` this time.
    pub(crate) async fn settled_cost(
        &self,
        protocol: &str,
        file: &str,
        within: Duration,
    ) -> Option<LoadCost> {
        let settled = async {
            loop {
                let changed = self.0.changed.notified();
                if let Some(cost) = self.cost(protocol, file) {
                    return cost;
                }
                changed.await;
            }
        };
        timeout(within, settled).await.ok()
    }

    fn seen(&self) -> MutexGuard<'_, VecDeque<Transfer>> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self, protocol: &str, file: &str) -> Option<TransferState> {
        let seen = self.seen();
        let is_it = |transfer: &&Transfer| {
            transfer.protocol == protocol && transfer.file.trim_start_matches('/') == file
        };
        seen.iter().rev().find(is_it).map(|last| last.state.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flasher_core::Quiet;

    fn transfer(file: &str, state: TransferState) -> Transfer {
        Transfer {
            protocol: "tftp".to_owned(),
            peer: "192.0.2.9:1234".parse().unwrap(),
            file: file.to_owned(),
            state,
        }
    }

    #[test]
    fn each_state_of_knowledge_has_its_sentence() {
        let evidence = Evidence::default();
        let log = evidence.log(Arc::new(Quiet));
        assert_eq!(evidence.about("tftp", "kernel"), "no tftp request arrived at all");
        log.record(transfer("other", TransferState::Begun { length: None, options: String::new() }));
        assert_eq!(
            evidence.about("tftp", "kernel"),
            "no tftp request for `kernel` arrived; the last one was from 192.0.2.9 for `other`"
        );
        log.record(transfer("kernel", TransferState::Begun { length: Some(5), options: String::new() }));
        assert_eq!(
            evidence.about("tftp", "kernel"),
            "a tftp request of 192.0.2.9 arrived and is being served, a file of 5 bytes"
        );
        log.record(transfer("/kernel", TransferState::Failed { bytes: 3, reason: "no answer".to_owned() }));
        assert_eq!(
            evidence.about("tftp", "kernel"),
            "a tftp request of 192.0.2.9 arrived and ended after 3 bytes: no answer"
        );
        assert!(
            !evidence.whole("tftp", "kernel")
                && evidence.broke("tftp", "kernel")
                && !evidence.broke("http", "kernel")
        );
        log.record(transfer(
            "kernel",
            TransferState::Done { bytes: 5, resends: 1, seconds: 0.1, round_trip: None },
        ));
        assert_eq!(
            evidence.about("tftp", "kernel"),
            "a tftp request of 192.0.2.9 was served whole: 5 bytes, 1 packets sent again"
        );
        assert!(evidence.whole("tftp", "kernel"));
        for (state, expected) in [
            (
                TransferState::Unconfirmed { bytes: 5, resends: 4, seconds: 12.0 },
                "a tftp request of 192.0.2.9 was served to its end, 5 bytes acknowledged, the last block not",
            ),
            (
                TransferState::SizeAsked { length: 5 },
                "192.0.2.9 asked by tftp for the length of a file only, 5 bytes",
            ),
        ] {
            log.record(transfer("kernel", state));
            assert_eq!(evidence.about("tftp", "kernel"), expected);
        }
        assert!(
            evidence.saw("tftp", "kernel")
                && !evidence.saw("http", "kernel")
                && !evidence.broke("tftp", "kernel")
        );
    }

    #[tokio::test]
    async fn a_server_that_sees_the_end_after_the_board_is_waited_for() {
        let evidence = Evidence::default();
        let log = evidence.log(Arc::new(Quiet));
        log.record(transfer("kernel", TransferState::Begun { length: Some(5), options: String::new() }));
        assert_eq!(evidence.cost("tftp", "kernel"), None);
        let end = TransferState::Done { bytes: 5, resends: 1, seconds: 0.5, round_trip: None };
        let (cost, ()) =
            tokio::join!(evidence.settled_cost("tftp", "kernel", Duration::from_secs(600)), async {
                log.record(transfer("kernel", end))
            },);
        assert_eq!(cost, Some(LoadCost { bytes: 5, seconds: 0.5, resends: 1 }));
        assert_eq!(evidence.settled_cost("tftp", "other", Duration::from_millis(1)).await, None);
    }

    #[test]
    fn only_so_many_transfers_are_remembered() {
        let evidence = Evidence::default();
        let log = evidence.log(Arc::new(Quiet));
        for number in 0..REMEMBERED + 50 {
            log.record(transfer(
                &number.to_string(),
                TransferState::Done { bytes: 0, resends: 0, seconds: 0.0, round_trip: None },
            ));
        }
        assert_eq!(evidence.transfers().len(), REMEMBERED);
    }
}
