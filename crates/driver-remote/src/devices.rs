//! Devices of an exporter, as if they were this machine's: a serial line and a power switch.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use exporter_wire::proto::{FrameType, StreamRequest, StreamResponse};
use exporter_wire::value;
use flasher_core::{
    ByteStream, Device, Driver, Error, OtherDriver, Port, PowerDriver, PowerMeter, Reading, Result,
    SerialDriver, async_trait,
};
use prost_types::Value;
use prost_types::value::Kind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Status, Streaming};

use crate::node::{NodeKind, RemoteNode};
use crate::session::{Place, RemoteSession, is_missing};

/// Bytes on their way between us and who uses the line.
const BUFFER: usize = 64 * 1024;
/// Bytes of one frame.
const FRAME: usize = 16 * 1024;
/// Frames that wait for the network.
const QUEUE: usize = 8;
/// Bound on all readings of a meter.
const READINGS: Duration = Duration::from_secs(60);
/// Bound on the exporter hearing that a stream was dropped, and how often it is asked.
const LET_GO: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);
/// Most readings that are taken at once.
const MOST_READINGS: usize = 1000;

/// The device for a node that is no group.
pub(crate) fn device(session: &Arc<RemoteSession>, node: &RemoteNode) -> Device {
    let place = Place { session: Arc::clone(session), kind: node.kind, path: Some(node.path.clone()) };
    match node.kind {
        NodeKind::Power => power(place),
        NodeKind::Serial => serial(place),
        NodeKind::Flasher | NodeKind::Group | NodeKind::Other => {
            Device::Other(Arc::new(Unusable { place, class: node.class.clone() }))
        }
    }
}

/// A power switch, which may have a meter: that is known when it is read.
pub(crate) fn power(place: Place) -> Device {
    let switch = Arc::new(RemotePower(place));
    let meter = Arc::clone(&switch) as Arc<dyn PowerMeter>;
    Device::Power(switch, Some(meter))
}

/// A serial line.
pub(crate) fn serial(place: Place) -> Device {
    Device::Serial(Arc::new(RemoteSerial::new(place)))
}

/// Which hardware it is: equal for all who reach it by the same address and path.
fn identity(place: &Place) -> Vec<String> {
    let path = place.path.as_deref().unwrap_or_default();
    vec![format!("remote:{}:{}:{path}", place.session.access().address, place.kind.word())]
}

/// A serial line of an exporter.
#[derive(Debug)]
pub(crate) struct RemoteSerial {
    place: Place,
    /// What sends the input of the stream that was opened last; it ends soon after that stream was dropped.
    last: Mutex<Option<JoinHandle<()>>>,
}

#[async_trait]
impl Driver for RemoteSerial {
    async fn probe(&self) -> Result<()> {
        self.place.probe().await
    }

    async fn check_files(&self) -> Result<()> {
        self.place.session.access().check_files().await
    }

    async fn identities(&self) -> Vec<String> {
        identity(&self.place)
    }

    async fn close(&self) -> Result<()> {
        self.place.session.forget().await;
        Ok(())
    }
}

#[async_trait]
impl SerialDriver for RemoteSerial {
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        let until = Instant::now() + LET_GO;
        let mut opened = self.stream("connect").await?;
        // The exporter hears a little later that a stream was dropped here.
        while self.is_letting_go(&opened) && Instant::now() < until {
            sleep(PAUSE).await;
            opened = self.stream("connect").await?;
        }
        Ok(Box::new(opened.map_err(|status| self.place.failed("open a stream", &status))?))
    }

    async fn watch(&self) -> Result<Option<Box<dyn AsyncRead + Send + Unpin>>> {
        match self.stream("watch").await? {
            Ok(stream) => Ok(Some(Box::new(stream))),
            Err(status) if status.code() == Code::OutOfRange => Ok(None),
            Err(status) if is_missing(&status) => {
                Err(Error::infrastructure("the exporter cannot let others hear its serial line")
                    .help("leave `--watch` out, or bring the exporter up to date"))
            }
            Err(status) => Err(self.place.failed("watch", &status)),
        }
    }

    /// As the exporter knows it; one that does not say has the node's path.
    async fn port(&self) -> Port {
        let told = self.place.ask("port").await.ok().flatten();
        let told = told.as_ref().and_then(value::as_record).map(|record| &record.fields);
        let name = told.and_then(|told| value::as_text(told.get("name")?)).map(str::to_owned);
        let path = self.place.path.as_deref().unwrap_or("the serial line");
        let name = name.unwrap_or_else(|| format!("`{path}`"));
        let missing = told.and_then(|told| value::as_flag(told.get("is_missing")?));
        let address = &self.place.session.access().address;
        Port { name: format!("{name} of {address}"), is_missing: missing.unwrap_or(false) }
    }
}

impl RemoteSerial {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, last: Mutex::default() }
    }

    /// Whether the line was refused, and a stream of ours that had it has been dropped.
    fn is_letting_go(&self, opened: &std::result::Result<DuplexStream, Status>) -> bool {
        let is_taken = opened.as_ref().is_err_and(|status| status.code() == Code::Aborted);
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        is_taken && last.as_ref().is_some_and(JoinHandle::is_finished)
    }

    async fn stream(&self, method: &str) -> Result<std::result::Result<DuplexStream, Status>> {
        let opened = self
            .place
            .again(|link, uuid| async move {
                let (frames, outward) = mpsc::channel(QUEUE);
                let meta = serde_json::json!({ "kind": "driver", "uuid": uuid, "method": method });
                let response = link.stream(&meta.to_string(), outward).await?;
                let (near, far) = tokio::io::duplex(BUFFER);
                let (typed, printed) = tokio::io::split(far);
                // Both end with the stream that is given away.
                let input = tokio::spawn(send_input(typed, frames));
                tokio::spawn(receive_output(response.into_inner(), printed));
                Ok((near, input))
            })
            .await?;
        Ok(opened.map(|(near, input)| {
            if method == "connect" {
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(input);
            }
            near
        }))
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

/// A power switch of an exporter, and its meter.
#[derive(Debug)]
pub(crate) struct RemotePower(pub(crate) Place);

#[async_trait]
impl Driver for RemotePower {
    async fn probe(&self) -> Result<()> {
        self.0.probe().await
    }

    async fn check_files(&self) -> Result<()> {
        self.0.session.access().check_files().await
    }

    async fn identities(&self) -> Vec<String> {
        identity(&self.0)
    }

    async fn close(&self) -> Result<()> {
        self.0.session.forget().await;
        Ok(())
    }
}

#[async_trait]
impl PowerDriver for RemotePower {
    async fn on(&self) -> Result<()> {
        self.switch("on").await
    }

    async fn off(&self) -> Result<()> {
        self.switch("off").await
    }

    /// None from an exporter that has no such method, as Python's.
    async fn state(&self) -> Result<Option<bool>> {
        Ok(self.0.ask("state").await?.as_ref().and_then(value::as_flag))
    }
}

impl RemotePower {
    async fn switch(&self, method: &str) -> Result<()> {
        let done =
            self.0.again(|link, uuid| async move { link.call(&uuid, method, Vec::new()).await }).await?;
        done.map(drop).map_err(|status| self.0.failed(method, &status))
    }

    async fn readings(&self) -> Result<Vec<Reading>> {
        let results =
            self.0.again(|link, uuid| async move { link.results(&uuid, "read", Vec::new()).await }).await?;
        let mut results = results.map_err(|status| self.unread(&status))?;
        let mut readings = Vec::new();
        while let Some(result) = results.message().await.map_err(|status| self.unread(&status))? {
            let reading = result.result.as_ref().and_then(reading);
            readings.push(
                reading.ok_or_else(|| Error::infrastructure("the exporter sent a reading that is none"))?,
            );
            if readings.len() == MOST_READINGS {
                break;
            }
        }
        match readings.is_empty() {
            false => Ok(readings),
            true => Err(Error::infrastructure("the exporter's power meter gave no reading")),
        }
    }

    fn unread(&self, status: &Status) -> Error {
        match is_missing(status) {
            true => Error::config("the exporter's power switch has no meter")
                .help("`flasher power status` asks the switch itself"),
            false => self.0.failed("read", status),
        }
    }
}

#[async_trait]
impl PowerMeter for RemotePower {
    async fn read(&self) -> Result<Vec<Reading>> {
        let late = |_| {
            let bound = READINGS.as_secs();
            Err(Error::infrastructure(format!("the exporter's power meter did not answer within {bound} s")))
        };
        timeout(READINGS, self.readings()).await.unwrap_or_else(late)
    }
}

fn reading(value: &Value) -> Option<Reading> {
    let fields = &value::as_record(value)?.fields;
    let number = |name: &str| match fields.get(name)?.kind {
        Some(Kind::NumberValue(number)) => Some(number),
        _ => None,
    };
    Some(Reading { voltage: number("voltage")?, current: number("current")? })
}

/// A node that this build has no device for.
#[derive(Debug)]
struct Unusable {
    place: Place,
    class: String,
}

#[async_trait]
impl Driver for Unusable {
    async fn close(&self) -> Result<()> {
        self.place.session.forget().await;
        Ok(())
    }
}

impl OtherDriver for Unusable {
    fn class(&self) -> &str {
        &self.class
    }

    fn refusal(&self) -> Error {
        let path = self.place.path.as_deref().unwrap_or_default();
        let address = &self.place.session.access().address;
        match self.place.kind {
            NodeKind::Flasher => Error::config(format!("`{path}` is a flasher of the exporter at {address}"))
                .help("`flasher --remote HOST:PORT` with `flash`, `plan` or `dump` has it work"),
            _ => Error::config(format!(
                "`{path}` of the exporter at {address} is of the class `{}`, which this program cannot use",
                self.class
            ))
            .help("use it with Jumpstarter's own client"),
        }
    }
}
