//! What one loaded tree has: its nodes, its status, and what these share.

use std::sync::{Arc, Mutex, PoisonError};

use flasher_core::fetch::FetchRules;
use flasher_core::python::PythonHost as _;
use flasher_core::tree::DriverTree;
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use crate::gate::Gate;
use crate::node::Nodes;
use crate::python::PythonExporter;
use crate::records::Records;
use crate::shared::SharedState;

/// One loaded tree and everything that belongs to it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) uuid: Uuid,
    /// What the bench is called, and what its users are to read first.
    pub(crate) bench: Option<String>,
    motd: Option<String>,
    /// What a hook adds to it.
    addition: Mutex<Option<String>>,
    /// Hears that the client has ended its session; none when there is no lease that could end.
    pub(crate) end: Option<UnboundedSender<()>>,
    pub(crate) nodes: Nodes,
    pub(crate) gate: Gate,
    pub(crate) shared: Arc<SharedState>,
    pub(crate) tree: DriverTree,
    python: Option<Arc<PythonExporter>>,
}

impl Session {
    pub(crate) fn new(
        tree: DriverTree,
        python: Option<Arc<PythonExporter>>,
        records: Records,
        fetch: FetchRules,
        end: Option<UnboundedSender<()>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            uuid: Uuid::new_v4(),
            bench: tree.bench().map(str::to_owned),
            motd: tree.motd().map(str::to_owned),
            addition: Mutex::default(),
            end,
            nodes: Nodes::of(&tree, python.as_ref()),
            gate: Gate::default(),
            shared: Arc::new(SharedState::new(records, fetch)),
            tree,
            python,
        })
    }

    /// What users are to read first.
    pub(crate) fn motd(&self) -> Option<String> {
        let addition = self.addition.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let texts: Vec<String> = self.motd.clone().into_iter().chain(addition).collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    }

    /// Adds to what users are to read first.
    pub(crate) fn add_to_motd(&self, text: String) {
        *self.addition.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    /// Frees everything a connection held.
    pub(crate) async fn release(&self, connection: u64) {
        self.shared.resources.release(connection);
        for capability in self.nodes.capabilities() {
            capability.release(connection).await;
        }
    }

    /// Ends the jobs, closes every driver, removes what clients made.
    pub(crate) async fn close(&self) {
        self.shared.jobs.stop().await;
        if let Err(error) = self.tree.close().await {
            tracing::warn!(error = %error.cause(), "a driver could not be closed");
        }
        if let Some(python) = &self.python {
            python.close().await;
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
