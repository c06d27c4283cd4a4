//! How a server behaves.

use std::time::Duration;

use crate::uploads::AnnouncedUploads;

/// How a server behaves towards its clients. The default suits boot loaders.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Largest block agreed to, bytes, 8 to 65464; none for what is not fragmented on the way.
    pub blksize_limit: Option<u16>,
    /// Most blocks of one window, 1 to 64.
    pub windowsize_limit: u16,
    /// Wait before sending again, until a round trip was measured.
    pub first_wait: Duration,
    /// Repetitions without any progress after which a client is given up. The waits double up to 5 s.
    pub retries: u32,
    /// What clients may send; nothing by default.
    pub uploads: AnnouncedUploads,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            blksize_limit: None,
            windowsize_limit: 64,
            first_wait: Duration::from_millis(500),
            retries: 12,
            uploads: AnnouncedUploads::default(),
        }
    }
}
