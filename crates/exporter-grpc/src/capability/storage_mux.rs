//! A storage mux: who has a medium. What is on it is written and read through the flasher above it, which finds its device.

use std::sync::Arc;
use std::time::Duration;

use flasher_core::{StorageMux, async_trait, owner};
use prost_types::Value;
use tonic::Code;

use super::{Args, Call, Capability, Method, Param, Shape, unanswered};
use crate::claims::Key;
use crate::failure::{CallFailure, CallResult};
use crate::value;

/// Bound on what a mux takes to obey.
const ANSWER: Duration = Duration::from_secs(60);

const HANDLE: Param = Param::needed("handle", Shape::Handle);

pub(super) const METHODS: &[Method] = &[
    Method::call("host", &[], "nothing, once this machine has the medium"),
    Method::call("dut", &[], "nothing, once the board has the medium"),
    Method::call("off", &[], "nothing, once neither has the medium"),
    Method::call("write", &[HANDLE], "an error: a flasher with `via: host` writes"),
    Method::call("read", &[HANDLE], "an error: a flasher with `via: host` reads"),
];

/// A storage mux for clients.
#[derive(Debug)]
pub(crate) struct Mux {
    pub(crate) mux: Arc<dyn StorageMux>,
    pub(crate) key: Key,
    /// What a job in another process has.
    pub(crate) owner: owner::Board,
}

#[async_trait]
impl Capability for Mux {
    fn client(&self) -> &str {
        "jumpstarter_driver_opendal.client.StorageMuxClient"
    }

    fn methods(&self) -> &'static [Method] {
        METHODS
    }

    async fn call(&self, method: &str, _args: Args, call: &Call) -> CallResult<Value> {
        if matches!(method, "write" | "read") {
            let text = format!(
                "`{method}` is not supported by a storage mux alone; call it on a flasher with `via: host` and this mux below it"
            );
            return Err(CallFailure::new(Code::Unimplemented, text));
        }
        call.shared.claims.free_for(self.key, call.owner.connection)?;
        self.owner.refuse_if_held().await.map_err(|error| CallFailure::held(&error))?;
        order(self.mux.as_ref(), method).await?;
        call.shared.log.driver(format!("storage mux {method}"));
        Ok(value::null())
    }
}

/// Has the mux obey, within a bound.
pub(super) async fn order(mux: &dyn StorageMux, method: &str) -> CallResult<()> {
    let obeyed = match method {
        "host" => tokio::time::timeout(ANSWER, mux.host()).await,
        "dut" => tokio::time::timeout(ANSWER, mux.dut()).await,
        "off" => tokio::time::timeout(ANSWER, mux.off()).await,
        other => return Err(unanswered(other)),
    };
    let late = || format!("the storage mux did not answer within {} s", ANSWER.as_secs());
    Ok(obeyed.map_err(|_| CallFailure::new(Code::DeadlineExceeded, late()))??)
}
