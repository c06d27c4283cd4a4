//! Nodes below one name.

use flasher_core::async_trait;
use prost_types::Value;

use super::{Args, Call, Capability, Method, unanswered};
use crate::failure::CallResult;

/// A group, and the root above all nodes. Exports nothing itself.
#[derive(Debug)]
pub(crate) struct Group;

#[async_trait]
impl Capability for Group {
    fn client(&self) -> &str {
        "jumpstarter_driver_composite.client.CompositeClient"
    }

    fn methods(&self) -> &'static [Method] {
        &[]
    }

    async fn call(&self, method: &str, _args: Args, _call: &Call) -> CallResult<Value> {
        Err(unanswered(method))
    }
}
