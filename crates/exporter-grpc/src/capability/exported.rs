//! What a node exports: the trait of everything that a node can be.

use std::fmt;

use flasher_core::{ByteStream, async_trait};
use prost_types::Value;

use super::{Args, Call, Method};
use crate::claims::Claim;
use crate::failure::{CallFailure, CallResult};
use crate::forward::Forward;
use crate::results::Results;

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
    fn client(&self) -> &str;

    /// The methods it exports.
    fn methods(&self) -> &'static [Method];

    /// Where its calls and streams go as they are; none for a node that answers by itself.
    fn forward(&self) -> Option<&Forward> {
        None
    }

    /// Why the node refuses every call; none for one that answers.
    fn refusal(&self) -> Option<CallFailure> {
        None
    }

    /// Answers a call. `method` is in the table as [`Kind::Call`](super::Kind::Call), and `args` are as it says.
    async fn call(&self, method: &str, args: Args, call: &Call) -> CallResult<Value>;

    /// Answers a streaming call, [`Kind::Results`](super::Kind::Results).
    async fn results(&self, method: &str, _args: Args, _call: &Call) -> CallResult<Results> {
        Err(unanswered(method))
    }

    /// Opens a byte stream, [`Kind::Bytes`](super::Kind::Bytes).
    async fn connect(&self, method: &str, _call: &Call) -> CallResult<SerialStream> {
        Err(unanswered(method))
    }

    /// Frees what a connection that has ended held.
    async fn release(&self, _connection: u64) {}
}

/// A method of the table without code behind it: a bug, which a test looks for.
pub(crate) fn unanswered(method: &str) -> CallFailure {
    CallFailure::new(
        tonic::Code::Internal,
        format!("`{method}` is in the table of methods and has no code; this is a bug"),
    )
}
