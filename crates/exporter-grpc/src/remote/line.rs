//! Devices of an exporter, as if they were this machine's: a serial line and a power switch.

use std::fmt;

use bytes::{Bytes, BytesMut};
use flasher_core::{ByteStream, Driver, Error, Port, PowerDriver, Result, SerialDriver, async_trait};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};

use super::link::{Link, failed};
use crate::proto::{FrameType, StreamRequest, StreamResponse};
use crate::value;

/// Bytes on their way between us and who uses the line.
const BUFFER: usize = 64 * 1024;
/// Bytes of one frame.
const FRAME: usize = 16 * 1024;
/// Frames that wait for the network.
const QUEUE: usize = 8;

/// A serial line of an exporter.
pub(super) struct RemoteSerial {
    pub(super) link: Link,
    pub(super) uuid: String,
    /// Its dotted path in the exporter's tree.
    pub(super) path: String,
}

impl fmt::Debug for RemoteSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSerial").field("uuid", &self.uuid).finish_non_exhaustive()
    }
}

impl Driver for RemoteSerial {}

#[async_trait]
impl SerialDriver for RemoteSerial {
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        Ok(Box::new(self.stream("connect").await.map_err(|status| failed("open a stream", &status))?))
    }

    async fn watch(&self) -> Result<Option<Box<dyn AsyncRead + Send + Unpin>>> {
        match self.stream("watch").await {
            Ok(stream) => Ok(Some(Box::new(stream))),
            Err(status) if status.code() == Code::OutOfRange => Ok(None),
            Err(status) if matches!(status.code(), Code::Unimplemented | Code::NotFound) => {
                Err(Error::infrastructure("the exporter cannot let others hear its serial line")
                    .help("leave `--watch` out, or bring the exporter up to date"))
            }
            Err(status) => Err(failed("watch", &status)),
        }
    }

    /// As the exporter knows it; one that does not say has the node's path.
    async fn port(&self) -> Port {
        let told = self.link.clone().call(&self.uuid, "port", Vec::new()).await.ok();
        let told = told.as_ref().and_then(value::as_record).map(|record| &record.fields);
        let name = told.and_then(|told| value::as_text(told.get("name")?)).map(str::to_owned);
        let name = name.unwrap_or_else(|| format!("`{}`", self.path));
        let missing = told.and_then(|told| value::as_flag(told.get("is_missing")?));
        Port { name: format!("{name} of {}", self.link.address), is_missing: missing.unwrap_or(false) }
    }
}

impl RemoteSerial {
    async fn stream(&self, method: &str) -> std::result::Result<DuplexStream, Status> {
        let (frames, outward) = mpsc::channel(QUEUE);
        let meta = serde_json::json!({ "kind": "driver", "uuid": self.uuid, "method": method });
        let response = self.link.clone().stream(&meta.to_string(), outward).await?;
        let (near, far) = tokio::io::duplex(BUFFER);
        let (typed, printed) = tokio::io::split(far);
        // Both end with the stream that is given away.
        tokio::spawn(send_input(typed, frames));
        tokio::spawn(receive_output(response.into_inner(), printed));
        Ok(near)
    }
}

/// Sends what is typed, until its end or that of the stream.
async fn send_input(mut typed: ReadHalf<DuplexStream>, frames: mpsc::Sender<StreamRequest>) {
    let frame = |payload: Bytes, kind: FrameType| StreamRequest { payload, frame_type: kind.into() };
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(FRAME);
        let count = tokio::select! {
            count = typed.read_buf(&mut buffer) => count,
            () = frames.closed() => return,
        };
        if !matches!(count, Ok(1..)) {
            break;
        }
        if frames.send(frame(buffer.split().freeze(), FrameType::Data)).await.is_err() {
            return; // the line has ended, as who reads it will see
        }
    }
    frames.send(frame(Bytes::new(), FrameType::Goaway)).await.ok(); // the same
}

/// Hands on what the board prints. Ends when the reader is gone, and with the stream.
async fn receive_output(mut inward: Streaming<StreamResponse>, mut printed: WriteHalf<DuplexStream>) {
    loop {
        match inward.message().await {
            Ok(Some(frame)) if frame.frame_type == i32::from(FrameType::Goaway) => break,
            Ok(Some(frame)) if frame.frame_type == i32::from(FrameType::Data) => {
                if printed.write_all(&frame.payload).await.is_err() {
                    return; // let go of
                }
            }
            Ok(Some(_)) => {} // pings and what is unknown
            Ok(None) => break,
            Err(status) => {
                tracing::warn!(why = status.message(), "the exporter ended the serial stream");
                break;
            }
        }
    }
    printed.shutdown().await.ok(); // who reads has gone first
}

/// A power switch of an exporter.
pub(super) struct RemotePower {
    pub(super) link: Link,
    pub(super) uuid: String,
}

impl fmt::Debug for RemotePower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemotePower").field("uuid", &self.uuid).finish_non_exhaustive()
    }
}

impl Driver for RemotePower {}

#[async_trait]
impl PowerDriver for RemotePower {
    async fn on(&self) -> Result<()> {
        self.link.clone().call(&self.uuid, "on", Vec::new()).await.map(drop)
    }

    async fn off(&self) -> Result<()> {
        self.link.clone().call(&self.uuid, "off", Vec::new()).await.map(drop)
    }

    async fn state(&self) -> Result<Option<bool>> {
        let state = self.link.clone().call(&self.uuid, "state", Vec::new()).await?;
        Ok(value::as_flag(&state))
    }
}
