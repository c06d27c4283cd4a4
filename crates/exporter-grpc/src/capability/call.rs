//! One call of a client, and what a node may do for it.

use std::sync::Arc;

use flasher_core::fetch::FetchRules;

use crate::connection::Connection;
use crate::failure::{CallFailure, CallResult};
use crate::resource::{DataSource, Handle, Owner, Sink};
use crate::shared::SharedState;

/// One call of a client.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) shared: Arc<SharedState>,
    pub(crate) connection: Arc<Connection>,
    /// The node that is called, and who calls.
    pub(crate) owner: Owner,
}

impl Call {
    /// What this client may have fetched.
    pub(crate) fn fetch_rules(&self) -> FetchRules {
        FetchRules { is_local: self.connection.is_local, ..self.shared.fetch.clone() }
    }

    /// Runs what may wait for a disk on a worker thread.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> CallResult<T> + Send + 'static,
    ) -> CallResult<T> {
        let _turn = self.shared.worker(&self.connection).await?;
        let joined = tokio::task::spawn_blocking(work).await;
        joined.unwrap_or_else(|_| {
            Err(CallFailure::new(tonic::Code::Internal, "a worker thread ended unexpectedly"))
        })
    }

    /// Where the data of this call comes from.
    pub(crate) fn source(&self, handle: Handle) -> CallResult<DataSource> {
        match handle {
            Handle::Stream(uuid) => Ok(DataSource::stream(self.shared.resources.take(uuid, self.owner)?)),
            Handle::Presigned(request) => {
                request.within(self.fetch_rules()).fetch(self.connection.closed.clone())
            }
        }
    }

    /// Where the data of this call goes, of which there are `length` bytes.
    pub(crate) fn sink(&self, handle: Handle, length: u64) -> CallResult<Sink> {
        match handle {
            Handle::Stream(uuid) => Ok(Sink::stream(self.shared.resources.take(uuid, self.owner)?)),
            Handle::Presigned(request) => {
                request.within(self.fetch_rules()).send(self.connection.closed.clone(), length)
            }
        }
    }
}
