//! The devices of a recording.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use flasher_core::{
    BootConsole, ByteStream, Content, ContentServer, Driver, FileServer, PowerDriver, Result, SerialDriver,
    StopKeys, TransferLog, Upload,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

use super::playing::Playing;
use super::score::LineBytes;
use crate::entry::{PowerCall, ServerName};
use crate::file::Head;

/// The serial line.
#[derive(Debug)]
pub(super) struct PlayedSerial(pub(super) Arc<Playing>);

/// The power switch.
#[derive(Debug)]
pub(super) struct PlayedPower {
    pub(super) shared: Arc<Playing>,
    pub(super) is_virtual: bool,
    pub(super) is_by_hand: bool,
}

/// A file server. It serves nothing: its transfers are those of the recording.
#[derive(Debug)]
pub(super) struct PlayedServer {
    name: ServerName,
    root: PathBuf,
    shared: Arc<Playing>,
    address: Mutex<Option<SocketAddr>>,
}

/// How the boot loader is recognised.
pub(super) struct PlayedBootConsole {
    prompt: String,
    keys: Option<StopKeys>,
}

impl Driver for PlayedSerial {}
impl Driver for PlayedPower {}
impl Driver for PlayedServer {}
impl Driver for PlayedBootConsole {}

#[async_trait]
impl SerialDriver for PlayedSerial {
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        let (line, said) = mpsc::unbounded_channel();
        let answer = self.0.lock().open(line);
        self.0.changed.notify_one();
        answer.again()?;
        Ok(Box::new(PlayedStream { said, rest: Vec::new(), shared: Arc::clone(&self.0) }))
    }
}

#[async_trait]
impl PowerDriver for PlayedPower {
    async fn on(&self) -> Result<()> {
        self.call(PowerCall::On).await.map(drop)
    }

    async fn off(&self) -> Result<()> {
        self.call(PowerCall::Off).await.map(drop)
    }

    async fn state(&self) -> Result<Option<bool>> {
        self.call(PowerCall::State).await
    }

    async fn cycle(&self, _wait: Duration) -> Result<()> {
        self.call(PowerCall::Cycle).await.map(drop)
    }

    fn is_virtual(&self) -> bool {
        self.is_virtual
    }

    fn is_by_hand(&self) -> bool {
        self.is_by_hand
    }
}

impl PlayedPower {
    async fn call(&self, call: PowerCall) -> Result<Option<bool>> {
        let answer = self.shared.lock().power(call);
        tokio::time::sleep(Duration::from_secs_f64(answer.seconds.clamp(0.0, 3600.0))).await;
        self.shared.changed.notify_one();
        answer.answer.again().map(|()| answer.is_on)
    }
}

impl PlayedServer {
    pub(super) fn new(name: ServerName, root: PathBuf, shared: Arc<Playing>) -> Self {
        Self { name, root, shared, address: Mutex::default() }
    }
}

#[async_trait]
impl FileServer for PlayedServer {
    async fn start(&self, log: TransferLog) -> Result<SocketAddr> {
        let (answer, address) = self.shared.lock().start(self.name, log);
        self.shared.changed.notify_one();
        answer.again()?;
        let address = address.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 9).into());
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
        Ok(address)
    }

    async fn stop(&self) -> Result<()> {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    fn address(&self) -> Option<SocketAddr> {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn root(&self) -> PathBuf {
        self.root.clone()
    }

    fn accept(&self, _path: &str, _upload: Upload) -> Result<()> {
        Ok(())
    }
}

impl ContentServer for PlayedServer {
    fn publish(&self, _path: &str, _content: Content) -> Result<()> {
        Ok(())
    }
}

impl PlayedBootConsole {
    pub(super) fn new(head: &Head) -> Self {
        let keys = head.stop_keys.clone().map(|keys| StopKeys {
            bytes: keys.bytes,
            shown: keys.shown,
            password: None,
        });
        Self { prompt: head.prompt.clone(), keys }
    }
}

impl BootConsole for PlayedBootConsole {
    fn prompt(&self) -> String {
        self.prompt.clone()
    }

    fn interrupt(&self) -> Option<StopKeys> {
        self.keys.clone()
    }
}

impl fmt::Debug for PlayedBootConsole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlayedBootConsole")
    }
}

/// An open line.
struct PlayedStream {
    said: mpsc::UnboundedReceiver<LineBytes>,
    rest: Vec<u8>,
    shared: Arc<Playing>,
}

impl AsyncRead for PlayedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(self.said.poll_recv(context)) {
                Some(Ok(bytes)) => self.rest = bytes,
                Some(Err(Some(error))) => return Poll::Ready(Err(std::io::Error::other(error))),
                Some(Err(None)) | None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PlayedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.shared.lock().typed(bytes);
        self.shared.changed.notify_one();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
