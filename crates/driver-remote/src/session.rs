//! One exporter, connected when it is needed and again when it was away.

use std::sync::Arc;

use flasher_core::{Error, Result};
use prost_types::Value;
use tokio::sync::Mutex;
use tonic::{Code, Status};

use crate::access::RemoteAccess;
use crate::connection::ConnectedExporter;
use crate::link::{Link, failed};
use crate::node::NodeKind;

/// An exporter that devices of this machine stand for.
#[derive(Debug)]
pub(crate) struct RemoteSession {
    access: RemoteAccess,
    current: Mutex<Option<ConnectedExporter>>,
}

impl RemoteSession {
    pub(crate) fn new(access: RemoteAccess) -> Self {
        Self { access, current: Mutex::new(None) }
    }

    /// One that is connected already.
    pub(crate) fn connected(exporter: ConnectedExporter) -> Self {
        Self { access: exporter.access.clone(), current: Mutex::new(Some(exporter)) }
    }

    pub(crate) fn access(&self) -> &RemoteAccess {
        &self.access
    }

    /// The exporter, connected now if it is not yet. Who comes meanwhile waits for the same connection.
    async fn exporter(&self) -> Result<ConnectedExporter> {
        let mut current = self.current.lock().await;
        if let Some(exporter) = &*current {
            return Ok(exporter.clone());
        }
        let exporter = ConnectedExporter::open(self.access.clone()).await?;
        *current = Some(exporter.clone());
        Ok(exporter)
    }

    /// Lets go of the connection; the next use makes a new one.
    pub(crate) async fn forget(&self) {
        self.current.lock().await.take();
    }
}

/// A node of an exporter, looked up anew for each connection: an exporter that was started anew has other UUIDs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) session: Arc<RemoteSession>,
    pub(crate) kind: NodeKind,
    /// Its dotted path there, or that of a node above it; none when it is the only one of its kind.
    pub(crate) path: Option<String>,
}

impl Place {
    /// Where it is now: the connection, the UUID and the dotted path.
    pub(crate) async fn find(&self) -> Result<(Link, String, String)> {
        let exporter = self.session.exporter().await?;
        let node = exporter.choose(self.kind, self.path.as_deref())?;
        Ok((exporter.link.clone(), node.uuid.clone(), node.path.clone()))
    }

    /// Looks whether it is there.
    pub(crate) async fn probe(&self) -> Result<()> {
        // A connection of before may be dead, and its UUIDs old.
        self.session.forget().await;
        self.find().await.map(drop)
    }

    /// The result of a call that may be made twice; none when the node has no such method.
    pub(crate) async fn ask(&self, method: &str) -> Result<Option<Value>> {
        match self.again(|link, uuid| async move { link.call(&uuid, method, Vec::new()).await }).await? {
            Ok(value) => Ok(Some(value)),
            Err(status) if is_missing(&status) => Ok(None),
            Err(status) => Err(self.failed(method, &status)),
        }
    }

    /// Does `what` with the connection and the UUID; once more when the connection was dead or the exporter started anew.
    pub(crate) async fn again<T, W: Future<Output = Result<T, Status>> + Send>(
        &self,
        what: impl Fn(Link, String) -> W + Send + Sync,
    ) -> Result<Result<T, Status>> {
        let (link, uuid, _) = self.find().await?;
        let first = what(link, uuid.clone()).await;
        let code = first.as_ref().map_or_else(Status::code, |_| Code::Ok);
        // What a connection says that was cut while it was used.
        let is_cut = matches!(code, Code::Unavailable | Code::Cancelled);
        if !is_cut && !matches!(code, Code::Unknown | Code::NotFound) {
            return Ok(first);
        }
        self.session.forget().await;
        let (link, now, _) = self.find().await?;
        let is_other = now != uuid || is_cut;
        Ok(if is_other { what(link, now).await } else { first })
    }

    /// What a refusal is here, with the exporter's address.
    pub(crate) fn failed(&self, method: &str, status: &Status) -> Error {
        failed(method, status).with("exporter", self.session.access.address.clone())
    }
}

/// Whether a status says that the node has no such method.
pub(crate) fn is_missing(status: &Status) -> bool {
    matches!(status.code(), Code::NotFound | Code::Unimplemented)
}
