//! What one loaded tree has: its nodes, status, log, and who uses what.

use std::sync::Arc;
use std::time::Duration;

use flasher_core::fetch::FetchRules;
use flasher_core::journal::Journal;
use flasher_core::tree::DeviceTree;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::claims::Claims;
use crate::connection::Connection;
use crate::failure::{CallFailure, CallResult};
use crate::gate::Gate;
use crate::jobs::Jobs;
use crate::log::Log;
use crate::node::Nodes;
use crate::resource::Table;

/// Worker threads all clients together may keep busy.
const WORKERS: usize = 256;
/// How long a call waits for one.
const PATIENCE: Duration = Duration::from_secs(10);

/// One loaded tree and everything that belongs to it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) uuid: Uuid,
    /// What the bench is called, and what its users are to read first.
    pub(crate) bench: Option<String>,
    pub(crate) motd: Option<String>,
    pub(crate) nodes: Nodes,
    pub(crate) gate: Gate,
    pub(crate) log: Log,
    pub(crate) claims: Arc<Claims>,
    pub(crate) resources: Table,
    pub(crate) jobs: Jobs,
    /// What clients may have fetched, when they are not at this machine.
    pub(crate) fetch: FetchRules,
    tree: DeviceTree,
    workers: Arc<Semaphore>,
}

impl Session {
    pub(crate) fn new(tree: DeviceTree, journal: Option<Journal>, fetch: FetchRules) -> Arc<Self> {
        Arc::new(Self {
            uuid: Uuid::new_v4(),
            bench: tree.bench().map(str::to_owned),
            motd: tree.motd().map(str::to_owned),
            nodes: Nodes::of(&tree),
            gate: Gate::default(),
            log: Log::default(),
            claims: Arc::default(),
            resources: Table::default(),
            jobs: Jobs::new(journal),
            fetch,
            tree,
            workers: Arc::new(Semaphore::new(WORKERS)),
        })
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

    /// Frees everything a connection held.
    pub(crate) async fn release(&self, connection: u64) {
        self.resources.release(connection);
        for capability in self.nodes.capabilities() {
            capability.release(connection).await;
        }
    }

    /// Ends the jobs, closes every driver, removes what clients made.
    pub(crate) async fn close(&self) {
        self.jobs.stop().await;
        if let Err(error) = self.tree.close().await {
            tracing::warn!(error = %error.cause(), "a driver could not be closed");
        }
        let storages = self.nodes.storages();
        let cleaned = tokio::task::spawn_blocking(move || {
            storages.iter().flat_map(|storage| storage.clean_up()).collect::<Vec<_>>()
        });
        for left in cleaned.await.unwrap_or_default() {
            tracing::warn!("what a client made could not be removed: {left}");
        }
    }
}
