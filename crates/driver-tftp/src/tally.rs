//! How far a transfer has come.

use std::time::Duration;

/// What a transfer has come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    /// Bytes of the file that were acknowledged.
    pub(crate) bytes: u64,
    /// Packets that were sent again.
    pub(crate) resends: u64,
    /// The last block that was acknowledged; 0 is the OACK.
    pub(crate) block: Option<u64>,
    /// Smoothed round trip, from the last packet of a window to its acknowledgement.
    pub(crate) round_trip: Option<Duration>,
}
