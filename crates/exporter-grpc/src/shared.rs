//! What all nodes of one loaded tree share: who uses what, streams, jobs, the log, and turns on the worker threads.

use std::sync::Arc;
use std::time::Duration;

use flasher_core::fetch::FetchRules;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::claims::Claims;
use crate::connection::Connection;
use crate::failure::{CallFailure, CallResult};
use crate::jobs::Jobs;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::records::Records;
use crate::resource::Table;

/// Worker threads all clients together may keep busy.
const WORKERS: usize = 256;
/// How long a call waits for one.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a call finds besides its own node.
#[derive(Debug)]
pub(crate) struct SharedState {
    pub(crate) log: Log,
    pub(crate) claims: Arc<Claims>,
    pub(crate) resources: Table,
    pub(crate) jobs: Jobs,
    pub(crate) metrics: Metrics,
    /// What clients may have fetched, when they are not at this machine.
    pub(crate) fetch: FetchRules,
    workers: Arc<Semaphore>,
}

impl SharedState {
    pub(crate) fn new(records: Records, fetch: FetchRules) -> Self {
        Self {
            log: Log::default(),
            claims: Arc::default(),
            resources: Table::default(),
            metrics: records.metrics.clone(),
            jobs: Jobs::new(records),
            fetch,
            workers: Arc::new(Semaphore::new(WORKERS)),
        }
    }

    /// A turn on the worker threads.
    pub(crate) async fn worker(&self, connection: &Connection) -> CallResult<[OwnedSemaphorePermit; 3]> {
        let turn = async {
            let own = Arc::clone(&connection.workers).acquire_owned().await?;
            let of_address = Arc::clone(&connection.address_workers).acquire_owned().await?;
            let any = Arc::clone(&self.workers).acquire_owned().await?;
            Ok::<_, tokio::sync::AcquireError>([own, of_address, any])
        };
        let turn = tokio::time::timeout(PATIENCE, turn).await;
        let busy = || CallFailure::too_much("too many transfers at once; try again when some have ended");
        turn.map_err(|_| busy())?.map_err(|_| busy())
    }
}
