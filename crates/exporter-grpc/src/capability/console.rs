//! How a boot loader's console is recognised; the dialogue is the client's.

use std::sync::Arc;

use flasher_core::{BootConsole, async_trait};
use prost_types::Value;

use super::{Args, Call, Capability, Method, unanswered};
use crate::failure::CallResult;
use crate::value;

pub(super) const METHODS: &[Method] =
    &[Method::call("get_prompt", &[], "the prompt, with a leading newline")];

/// A boot loader's console for clients.
#[derive(Debug)]
pub(crate) struct Console(pub(crate) Arc<dyn BootConsole>);

#[async_trait]
impl Capability for Console {
    fn client(&self) -> &str {
        "jumpstarter_driver_uboot.client.UbootConsoleClient"
    }

    fn methods(&self) -> &'static [Method] {
        METHODS
    }

    async fn call(&self, method: &str, _args: Args, _call: &Call) -> CallResult<Value> {
        match method {
            "get_prompt" => Ok(value::text(self.0.prompt())),
            other => Err(unanswered(other)),
        }
    }
}
