//! A client of QEMU's monitor protocol: JSON objects, one a line (QEMU, "QMP Protocol Specification").

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::error::QemuError;

/// Bytes a line of the monitor may have.
const LINE: u64 = 1024 * 1024;
/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The monitor of a running QEMU.
#[derive(Debug)]
pub(crate) struct Monitor(BufReader<UnixStream>);

/// What the monitor says; events are neither.
#[derive(Debug, Deserialize)]
struct MonitorMessage {
    #[serde(rename = "return")]
    done: Option<Value>,
    error: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    desc: String,
}

impl Monitor {
    /// Takes the greeting and leaves negotiation. When this returns, QEMU's main loop runs.
    pub(crate) async fn new(stream: UnixStream) -> Result<Self, QemuError> {
        let mut monitor = Self(BufReader::new(stream));
        monitor.execute("qmp_capabilities", json!({})).await?;
        monitor.execute("query-status", json!({})).await?;
        Ok(monitor)
    }

    /// Has `command` done, and gives what it returns.
    pub(crate) async fn execute(
        &mut self,
        command: &'static str,
        arguments: Value,
    ) -> Result<Value, QemuError> {
        let refused = |reason: String| QemuError::Monitor { command, reason };
        let request = json!({ "execute": command, "arguments": arguments });
        match timeout(PATIENCE, self.converse(&request)).await {
            Ok(answer) => answer.map_err(refused),
            Err(_) => Err(refused(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    async fn converse(&mut self, request: &Value) -> Result<Value, String> {
        let line = format!("{request}\n");
        self.0.get_mut().write_all(line.as_bytes()).await.map_err(|error| error.to_string())?;
        loop {
            let message = self.next().await?;
            match (message.error, message.done) {
                (Some(refusal), _) => return Err(refusal.desc),
                (None, Some(done)) => return Ok(done),
                (None, None) => {}
            }
        }
    }

    async fn next(&mut self) -> Result<MonitorMessage, String> {
        let mut line = Vec::new();
        (&mut self.0).take(LINE).read_until(b'\n', &mut line).await.map_err(|error| error.to_string())?;
        if line.last() != Some(&b'\n') {
            return Err("it ended".to_owned());
        }
        serde_json::from_slice(&line).map_err(|error| format!("it does not speak QMP: {error}"))
    }
}

#[cfg(test)]
mod tests;
