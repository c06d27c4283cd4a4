//! A power switch, and its meter when it has one.

use std::sync::Arc;
use std::time::Duration;

use flasher_core::owner;
use flasher_core::{PowerDriver, PowerMeter, async_trait};
use prost_types::Value;
use tonic::Code;

use super::{Args, Call, Capability, Method, unanswered};
use crate::claims::Key;
use crate::failure::{CallFailure, CallResult};
use crate::results::Results;
use crate::value;

/// Bound on what a switch or a meter takes to answer.
const ANSWER: Duration = Duration::from_secs(60);

pub(super) const METHODS: &[Method] = &[
    Method::call("on", &[], "nothing, once the power is on"),
    Method::call("off", &[], "nothing, once the power is off"),
    Method::call("state", &[], "whether the power is on, as the switch says; null when it cannot tell"),
    Method::results("read", &[], "{voltage, current} as often as the meter has a reading"),
];

/// A power switch for clients.
#[derive(Debug)]
pub(crate) struct Power {
    pub(crate) switch: Arc<dyn PowerDriver>,
    pub(crate) meter: Option<Arc<dyn PowerMeter>>,
    pub(crate) key: Key,
    /// What a job in another process has.
    pub(crate) owner: owner::Board,
}

#[async_trait]
impl Capability for Power {
    fn client(&self) -> &str {
        "jumpstarter_driver_power.client.PowerClient"
    }

    fn methods(&self) -> &'static [Method] {
        METHODS
    }

    async fn call(&self, method: &str, _args: Args, call: &Call) -> CallResult<Value> {
        if method == "state" {
            let state = tokio::time::timeout(ANSWER, self.switch.state()).await.map_err(|_| late())??;
            return Ok(state.map_or_else(value::null, value::flag));
        }
        self.free(call).await?;
        let switched = match method {
            "on" => tokio::time::timeout(ANSWER, self.switch.on()).await,
            "off" => tokio::time::timeout(ANSWER, self.switch.off()).await,
            other => return Err(unanswered(other)),
        };
        switched.map_err(|_| late())??;
        if method == "off" {
            self.owner.forget_killed_job().await?;
        }
        call.shared.log.driver(format!("power {method}"));
        Ok(value::null())
    }

    async fn results(&self, method: &str, _args: Args, _call: &Call) -> CallResult<Results> {
        match (method, &self.meter) {
            ("read", Some(meter)) => {
                let readings = tokio::time::timeout(ANSWER, meter.read()).await.map_err(|_| late())??;
                let values = readings.into_iter().map(|reading| {
                    let fields = [("voltage", reading.voltage), ("current", reading.current)];
                    Ok(value::record(fields.map(|(name, number)| (name, value::number(number)))))
                });
                Ok(Box::pin(futures_util::stream::iter(values.collect::<Vec<_>>())))
            }
            ("read", None) => Err(CallFailure::new(Code::Unimplemented, "this power switch has no meter")),
            (other, _) => Err(unanswered(other)),
        }
    }
}

impl Power {
    /// The board is free: no client of this exporter, and no flash in another process.
    async fn free(&self, call: &Call) -> CallResult<()> {
        call.shared.claims.free_for(self.key, call.owner.connection)?;
        self.owner.refuse_if_held().await.map_err(|error| CallFailure::held(&error))
    }
}

fn late() -> CallFailure {
    CallFailure::new(
        Code::DeadlineExceeded,
        format!("the power did not answer within {} s", ANSWER.as_secs()),
    )
}
