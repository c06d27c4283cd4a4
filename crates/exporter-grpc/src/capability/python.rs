//! A node whose driver only Python has.

use std::sync::Arc;

use flasher_core::async_trait;
use flasher_core::python::PythonNode;
use prost_types::Value;
use tonic::Code;

use super::{Args, Call, Capability, Method, unanswered};
use crate::failure::{CallFailure, CallResult};
use crate::forward::Forward;

/// A node that is not available. It is reported all the same, so that clients meet a node that says why it does nothing instead of a
/// tree without it.
#[derive(Debug)]
pub(crate) struct Python(pub(crate) Arc<PythonNode>);

#[async_trait]
impl Capability for Python {
    /// The class of all clients: it has no commands, so that `j` does not list any.
    fn client(&self) -> &str {
        "jumpstarter.client.DriverClient"
    }

    fn methods(&self) -> &'static [Method] {
        &[]
    }

    /// UNIMPLEMENTED, Python's `NotImplementedError`.
    fn refusal(&self) -> Option<CallFailure> {
        let failure = CallFailure::from(self.0.refusal());
        Some(CallFailure { code: Code::Unimplemented, ..failure })
    }

    async fn call(&self, method: &str, _args: Args, _call: &Call) -> CallResult<Value> {
        Err(unanswered(method))
    }
}

/// A node that Python runs.
#[async_trait]
impl Capability for Forward {
    fn client(&self) -> &str {
        &self.client
    }

    fn methods(&self) -> &'static [Method] {
        &[]
    }

    fn forward(&self) -> Option<&Forward> {
        Some(self)
    }

    async fn call(&self, method: &str, _args: Args, _call: &Call) -> CallResult<Value> {
        Err(unanswered(method))
    }
}
