//! A serial line: one user at a time.

use std::sync::Arc;
use std::time::Duration;

use flasher_core::{ControlLines, SerialDriver, async_trait};
use prost_types::Value;
use tokio::time::{Instant, sleep};
use tonic::Code;

use super::{Args, Call, Capability, Method, Param, SerialStream, Shape, unanswered};
use crate::claims::Key;
use crate::failure::{CallFailure, CallResult};
use crate::value;

/// Bound on opening a port.
const OPENING: Duration = Duration::from_secs(30);
/// Bound on moving a control line.
const ANSWER: Duration = Duration::from_secs(10);
/// A user who has just left frees the line within this time.
const FREE_WITHIN: Duration = Duration::from_secs(2);

/// How long a request to watch waits for a client to open the line, before it is refused because no client has it open.
const WAIT_FOR_OWNER: Duration = Duration::from_secs(1);
/// How often it is looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

pub(super) const METHODS: &[Method] = &[
    Method::bytes("connect"),
    Method::bytes("watch"),
    Method::call("port", &[], "{name, is_missing} of the line, as people know it"),
    Method::call("close", &[], "nothing; ends the stream of the same client, if there is one"),
    Method::call("set_dtr", &[Param::needed("value", Shape::Flag)], "nothing, once the line is so"),
    Method::call("set_rts", &[Param::needed("value", Shape::Flag)], "nothing, once the line is so"),
];

/// A serial line for clients.
#[derive(Debug)]
pub(crate) struct Serial {
    pub(crate) serial: Arc<dyn SerialDriver>,
    pub(crate) key: Key,
}

#[async_trait]
impl Capability for Serial {
    fn client(&self) -> &str {
        "jumpstarter_driver_pyserial.client.PySerialClient"
    }

    fn methods(&self) -> &'static [Method] {
        METHODS
    }

    async fn call(&self, method: &str, args: Args, call: &Call) -> CallResult<Value> {
        match method {
            "close" => {
                call.shared.claims.free_for(self.key, call.owner.connection)?;
                call.shared.claims.evict(self.key);
                Ok(value::null())
            }
            "port" => {
                let port = self.serial.port().await;
                let missing = value::flag(port.is_missing);
                Ok(value::record([("name", value::text(port.name)), ("is_missing", missing)]))
            }
            "set_dtr" => {
                let lines = ControlLines { dtr: Some(args.flag(0)?), ..ControlLines::default() };
                self.set(method, lines, call).await
            }
            "set_rts" => {
                let lines = ControlLines { rts: Some(args.flag(0)?), ..ControlLines::default() };
                self.set(method, lines, call).await
            }
            other => Err(unanswered(other)),
        }
    }

    async fn connect(&self, method: &str, call: &Call) -> CallResult<SerialStream> {
        match method {
            "connect" => {}
            "watch" => return self.watch().await,
            other => return Err(unanswered(other)),
        }
        let claim = call
            .shared
            .claims
            .take(&[self.key.into()], "a serial stream", &call.connection, FREE_WITHIN)
            .await?;
        let opened = tokio::time::timeout(OPENING, self.serial.open()).await;
        let late = |_| CallFailure::new(Code::DeadlineExceeded, "the serial line did not open within 30 s");
        let stream = opened.map_err(late)??;
        call.shared.log.driver("serial line opened".to_owned());
        Ok(SerialStream { stream, claim: Some(claim) })
    }
}

impl Serial {
    /// What the line's owner hears, once there is one. Takes the line from no client.
    async fn watch(&self) -> CallResult<SerialStream> {
        let deadline = Instant::now() + WAIT_FOR_OWNER;
        loop {
            if let Some(heard) = self.serial.watch().await? {
                let stream = Box::new(tokio::io::join(heard, tokio::io::sink()));
                return Ok(SerialStream { stream, claim: None });
            }
            if Instant::now() > deadline {
                return Err(CallFailure::new(
                    Code::OutOfRange,
                    "no client or process has the serial line open",
                ));
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    async fn set(&self, method: &str, lines: ControlLines, call: &Call) -> CallResult<Value> {
        call.shared.claims.free_for(self.key, call.owner.connection)?;
        let late = |_| CallFailure::new(Code::DeadlineExceeded, "the serial line did not answer within 10 s");
        let has_them = tokio::time::timeout(ANSWER, self.serial.set_lines(lines)).await.map_err(late)??;
        if has_them {
            return Ok(value::null());
        }
        let text = format!("`{method}` is not supported: this serial line has no control lines");
        Err(CallFailure::new(Code::Unimplemented, text))
    }
}
