//! What the file servers of a job saw of the board.

use std::net::SocketAddr;

use flasher_core::{Transfer, TransferState};

/// What the file servers of a job saw of the board in one attempt.
#[derive(Clone, Debug, Default)]
pub struct ServersView {
    /// The address at which the board finds the TFTP server, once both are known.
    pub tftp: Option<SocketAddr>,
    /// The same of the HTTP server.
    pub http: Option<SocketAddr>,
    /// The folder of the job's boot files on the TFTP server.
    pub folder: String,
    /// The transfers, each as it stood last, oldest first.
    pub transfers: Vec<Transfer>,
}

impl ServersView {
    /// The transfers of a protocol (`tftp` or `http`), the newest first.
    fn of(&self, protocol: &str) -> impl Iterator<Item = &Transfer> {
        self.transfers.iter().rev().filter(move |transfer| transfer.protocol == protocol)
    }

    /// The newest request for a boot file of this job.
    pub(crate) fn own_request(&self) -> Option<&Transfer> {
        self.of("tftp").find(|transfer| transfer.file.trim_start_matches('/').starts_with(&self.folder))
    }

    /// The newest request for any other file.
    pub(crate) fn other_request(&self) -> Option<&Transfer> {
        self.of("tftp").find(|transfer| !transfer.file.trim_start_matches('/').starts_with(&self.folder))
    }

    /// Whether any request reached the TFTP server.
    pub(crate) fn is_asked_by_tftp(&self) -> bool {
        self.of("tftp").next().is_some()
    }

    /// The newest transfer by HTTP.
    pub(crate) fn by_http(&self) -> Option<&Transfer> {
        self.of("http").next()
    }

    /// The newest transfer that had many packets sent again: packets in all, and sent again.
    pub(crate) fn lossy(&self) -> Option<(&Transfer, u64)> {
        self.transfers.iter().rev().find_map(|transfer| match transfer.state {
            TransferState::Done { bytes, resends, .. }
            | TransferState::Unconfirmed { bytes, resends, .. }
                if resends >= MANY && resends * SHARE >= bytes / BLOCK =>
            {
                Some((transfer, resends))
            }
            _ => None,
        })
    }
}

/// The fewest packets sent again that tell of a bad network.
const MANY: u64 = 5;
/// One packet in so many sent again tells of a bad network.
const SHARE: u64 = 20;
/// What a packet holds at most, bytes (a block that fits into an Ethernet frame).
const BLOCK: u64 = 1468;

/// What became of a transfer, in one sentence.
pub fn sentence(transfer: &Transfer) -> String {
    let (protocol, peer) = (&transfer.protocol, transfer.peer.ip());
    match &transfer.state {
        TransferState::Begun { length, .. } => {
            let length =
                length.map_or_else(|| "of unknown length".to_owned(), |length| format!("of {length} bytes"));
            format!("a {protocol} request of {peer} arrived and is being served, a file {length}")
        }
        TransferState::Done { bytes, resends, .. } => {
            format!(
                "a {protocol} request of {peer} was served whole: {bytes} bytes, {resends} packets sent again"
            )
        }
        TransferState::Unconfirmed { bytes, .. } => {
            format!(
                "a {protocol} request of {peer} was served to its end, {bytes} bytes acknowledged, the last block not"
            )
        }
        TransferState::SizeAsked { length } => {
            format!("{peer} asked by {protocol} for the length of a file only, {length} bytes")
        }
        TransferState::Failed { bytes, reason } => {
            format!("a {protocol} request of {peer} arrived and ended after {bytes} bytes: {reason}")
        }
    }
}
