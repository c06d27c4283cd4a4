//! What a node of the tree can be for clients: one file each, with a table of the methods it exports.
//!
//! A new capability is one file: a type that implements [`Capability`], and its line in `node`.

mod console;
mod file_server;
mod flasher;
mod group;
mod method;
mod power;
mod serial;
mod storage;

use std::fmt;
use std::sync::Arc;

use flasher_core::fetch::FetchRules;
use flasher_core::{ByteStream, async_trait};
use prost_types::Value;

pub(crate) use console::Console;
pub(crate) use file_server::FileServerNode;
pub(crate) use flasher::Flash;
pub(crate) use group::Group;
pub(crate) use method::{Args, Kind, Method, Param, Shape, check, find};
pub(crate) use power::Power;
pub(crate) use serial::Serial;
pub(crate) use storage::Opendal;

use crate::claims::Claim;
use crate::connection::Connection;
use crate::failure::{CallFailure, CallResult};
use crate::resource::Owner;
pub(crate) use crate::results::Results;
use crate::session::Session;

/// One call of a client.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) session: Arc<Session>,
    pub(crate) connection: Arc<Connection>,
    /// The node that is called, and who calls.
    pub(crate) owner: Owner,
}

impl Call {
    /// What this client may have fetched.
    pub(crate) fn fetch_rules(&self) -> FetchRules {
        FetchRules { is_local: self.connection.is_local, ..self.session.fetch.clone() }
    }

    /// Runs what may wait for a disk on a worker thread.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> CallResult<T> + Send + 'static,
    ) -> CallResult<T> {
        let _turn = self.session.worker(&self.connection).await?;
        let joined = tokio::task::spawn_blocking(work).await;
        joined.unwrap_or_else(|_| {
            Err(CallFailure::new(tonic::Code::Internal, "a worker thread ended unexpectedly"))
        })
    }
}

/// Bytes both ways, and the claim that keeps others from them.
pub(crate) struct SerialStream {
    pub(crate) stream: Box<dyn ByteStream>,
    /// None for a stream that takes nothing from others: one that only hears.
    pub(crate) claim: Option<Claim>,
}

/// A node as clients see it.
#[async_trait]
pub(crate) trait Capability: fmt::Debug + Send + Sync {
    /// The Python class that speaks to it, by its import path.
    fn client(&self) -> &'static str;

    /// The methods it exports.
    fn methods(&self) -> &'static [Method];

    /// Answers a call. `method` is in the table as [`Kind::Call`], and `args` are as it says.
    async fn call(&self, method: &str, args: Args, call: &Call) -> CallResult<Value>;

    /// Answers a streaming call, [`Kind::Results`].
    async fn results(&self, method: &str, _args: Args, _call: &Call) -> CallResult<Results> {
        Err(unanswered(method))
    }

    /// Opens a byte stream, [`Kind::Bytes`].
    async fn connect(&self, method: &str, _call: &Call) -> CallResult<SerialStream> {
        Err(unanswered(method))
    }

    /// Frees what a connection that has ended held.
    async fn release(&self, _connection: u64) {}
}

/// Every table of methods, for fuzzing.
#[cfg(any(test, fuzzing))]
pub(crate) const TABLES: [&[Method]; 7] = [
    console::METHODS,
    file_server::HTTP,
    file_server::TFTP,
    flasher::METHODS,
    power::METHODS,
    serial::METHODS,
    storage::METHODS,
];

/// A method of the table without code behind it: a bug, which a test looks for.
pub(crate) fn unanswered(method: &str) -> CallFailure {
    CallFailure::new(
        tonic::Code::Internal,
        format!("`{method}` is in the table of methods and has no code; this is a bug"),
    )
}
