//! Nodes that this build has no device for.

use std::sync::Arc;

use flasher_core::{OtherDriver, async_trait};
use prost_types::Value;

use super::{Args, Call, Capability, Method, unanswered};
use crate::failure::CallResult;

/// A node that is there by its name and class, and exports nothing.
#[derive(Debug)]
pub(crate) struct Other(pub(crate) Arc<dyn OtherDriver>);

#[async_trait]
impl Capability for Other {
    fn client(&self) -> &str {
        self.0.class()
    }

    fn methods(&self) -> &'static [Method] {
        &[]
    }

    async fn call(&self, method: &str, _args: Args, _call: &Call) -> CallResult<Value> {
        Err(unanswered(method))
    }
}
