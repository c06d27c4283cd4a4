//! What hangs on one connection of a client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Worker threads one connection may keep busy.
const WORKERS: usize = 32;
/// Byte streams one connection may have open.
const STREAMS: usize = 128;

/// One connection. Dropped with it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: u64,
    /// Who is at the other end, for messages.
    pub(crate) peer: String,
    /// Whether that is on this machine.
    pub(crate) is_local: bool,
    /// Cancelled when the connection has ended.
    pub(crate) closed: CancellationToken,
    pub(crate) workers: Arc<Semaphore>,
    /// The same for all connections of its address together.
    pub(crate) address_workers: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
}

impl Connection {
    pub(crate) fn new(peer: String, is_local: bool, address_workers: Arc<Semaphore>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            peer,
            is_local,
            closed: CancellationToken::new(),
            workers: Arc::new(Semaphore::new(WORKERS)),
            address_workers,
            streams: Arc::new(Semaphore::new(STREAMS)),
        })
    }

    #[cfg(test)]
    pub(crate) fn for_tests(id: u64) -> Self {
        Self {
            id,
            peer: format!("client {id}"),
            is_local: true,
            closed: CancellationToken::new(),
            workers: Arc::new(Semaphore::new(WORKERS)),
            address_workers: Arc::new(Semaphore::new(WORKERS)),
            streams: Arc::new(Semaphore::new(STREAMS)),
        }
    }
}
