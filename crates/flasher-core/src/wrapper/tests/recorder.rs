//! A device that is everything and records which of its methods are called; and a wrapper that changes nothing.

use std::collections::BTreeSet;
use std::future::pending;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncRead;

use super::*;
use crate::dump::{DumpJob, DumpSink};
use crate::event::Progress;
use crate::flash::{Defaults, Description, Pinned, Plan, Receipt};
use crate::identify::IdentifyJob;

/// Records `Trait::method`.
#[derive(Debug, Default)]
pub(super) struct Recorder(Mutex<BTreeSet<String>>);

impl Recorder {
    /// What was called.
    pub(super) fn reached(&self) -> BTreeSet<String> {
        self.0.lock().unwrap().clone()
    }

    fn note(&self, method: &str) {
        self.0.lock().unwrap().insert(method.to_owned());
    }
}

/// A wrapper that changes nothing.
#[derive(Debug)]
pub(super) struct Bare(pub(super) Arc<Recorder>);

impl Wrapper for Bare {
    type Device = Recorder;

    fn wrapped(&self) -> &Recorder {
        &self.0
    }
}

#[async_trait]
impl PowerWrapper for Bare {
    async fn cycle(&self, wait: Duration) -> Result<()> {
        self.wrapped().cycle(wait).await
    }
}
impl PowerMeterWrapper for Bare {}
impl SerialWrapper for Bare {}
impl FileServerWrapper for Bare {}
impl ContentServerWrapper for Bare {}
impl BootConsoleWrapper for Bare {}
impl FlasherWrapper for Bare {}

/// A job whose sink is never written to.
pub(super) fn dump_job() -> DumpJob {
    DumpJob::new(Arc::new(Nowhere))
}

#[async_trait]
impl Driver for Recorder {
    async fn probe(&self) -> Result<()> {
        self.note("Driver::probe");
        Ok(())
    }
    async fn examine(&self) -> Result<()> {
        self.note("Driver::examine");
        Ok(())
    }
    async fn check_files(&self) -> Result<()> {
        self.note("Driver::check_files");
        Ok(())
    }
    async fn identities(&self) -> Vec<String> {
        self.note("Driver::identities");
        vec!["recorder".to_owned()]
    }
    async fn close(&self) -> Result<()> {
        self.note("Driver::close");
        Ok(())
    }
}

#[async_trait]
impl PowerDriver for Recorder {
    async fn on(&self) -> Result<()> {
        self.note("PowerDriver::on");
        Ok(())
    }
    async fn off(&self) -> Result<()> {
        self.note("PowerDriver::off");
        Ok(())
    }
    async fn state(&self) -> Result<Option<bool>> {
        self.note("PowerDriver::state");
        Ok(Some(true))
    }
    fn is_virtual(&self) -> bool {
        self.note("PowerDriver::is_virtual");
        true
    }
    fn is_by_hand(&self) -> bool {
        self.note("PowerDriver::is_by_hand");
        true
    }
    async fn cycle(&self, _wait: Duration) -> Result<()> {
        self.note("PowerDriver::cycle");
        Ok(())
    }
}

#[async_trait]
impl PowerMeter for Recorder {
    async fn read(&self) -> Result<Vec<Reading>> {
        self.note("PowerMeter::read");
        Ok(Vec::new())
    }
}

#[async_trait]
impl SerialDriver for Recorder {
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        self.note("SerialDriver::open");
        Ok(Box::new(tokio::io::empty()))
    }
    async fn watch(&self) -> Result<Option<Box<dyn AsyncRead + Send + Unpin>>> {
        self.note("SerialDriver::watch");
        Ok(None)
    }
    async fn port(&self) -> Port {
        self.note("SerialDriver::port");
        Port { name: "recorder".to_owned(), is_missing: true }
    }
    async fn set_lines(&self, _lines: ControlLines) -> Result<bool> {
        self.note("SerialDriver::set_lines");
        Ok(true)
    }
}

#[async_trait]
impl FileServer for Recorder {
    async fn start(&self, _log: TransferLog) -> Result<SocketAddr> {
        self.note("FileServer::start");
        pending().await
    }
    async fn stop(&self) -> Result<()> {
        self.note("FileServer::stop");
        Ok(())
    }
    fn address(&self) -> Option<SocketAddr> {
        self.note("FileServer::address");
        None
    }
    fn fixed_address(&self) -> Option<(String, u16)> {
        self.note("FileServer::fixed_address");
        None
    }
    fn root(&self) -> PathBuf {
        self.note("FileServer::root");
        PathBuf::new()
    }
    fn removes_created(&self) -> bool {
        self.note("FileServer::removes_created");
        false
    }
    fn accept(&self, _path: &str, _upload: Upload) -> Result<()> {
        self.note("FileServer::accept");
        Ok(())
    }
    fn withdraw(&self, _path: &str) {
        self.note("FileServer::withdraw");
    }
}

impl ContentServer for Recorder {
    fn publish(&self, _path: &str, _content: Content) -> Result<()> {
        self.note("ContentServer::publish");
        Ok(())
    }
}

impl BootConsole for Recorder {
    fn prompt(&self) -> String {
        self.note("BootConsole::prompt");
        "recorder>".to_owned()
    }

    fn interrupt(&self) -> Option<StopKeys> {
        self.note("BootConsole::interrupt");
        None
    }
}

#[async_trait]
impl Flasher for Recorder {
    async fn plan(&self, _job: FlashJob) -> Result<Plan> {
        self.note("Flasher::plan");
        pending().await
    }
    async fn flash(&self, _job: FlashJob, _progress: Arc<dyn Progress>) -> Receipt {
        self.note("Flasher::flash");
        pending().await
    }
    async fn dump(&self, _job: DumpJob, _progress: Arc<dyn Progress>) -> Receipt {
        self.note("Flasher::dump");
        pending().await
    }
    async fn identify(&self, _job: IdentifyJob, _progress: Arc<dyn Progress>) -> Receipt {
        self.note("Flasher::identify");
        pending().await
    }
    fn defaults(&self) -> Defaults {
        self.note("Flasher::defaults");
        Defaults::default()
    }
    fn flasher_bundle(&self) -> Option<&dyn FlasherBundle> {
        self.note("Flasher::flasher_bundle");
        Some(self)
    }
    async fn rehearse(&self) -> Result<()> {
        self.note("Flasher::rehearse");
        Ok(())
    }
    async fn route(&self) -> Result<Option<String>> {
        self.note("Flasher::route");
        Ok(None)
    }
}

#[async_trait]
impl FlasherBundle for Recorder {
    async fn describe(&self) -> Result<Description> {
        self.note("FlasherBundle::describe");
        pending().await
    }
    async fn use_variant(&self, _variant: Option<String>) -> Result<()> {
        self.note("FlasherBundle::use_variant");
        Ok(())
    }
    async fn lock_bundle(&self) -> Result<Option<Pinned>> {
        self.note("FlasherBundle::lock_bundle");
        Ok(None)
    }
    async fn set_up(&self, _bundle: Option<String>) -> Result<Vec<PathBuf>> {
        self.note("FlasherBundle::set_up");
        Ok(Vec::new())
    }
    async fn manifest(&self) -> Result<String> {
        self.note("FlasherBundle::manifest");
        Ok(String::new())
    }
}

struct Nowhere;

impl DumpSink for Nowhere {
    fn label(&self) -> String {
        "nowhere".to_owned()
    }

    fn begin(&self, _length: u64) -> Result<()> {
        Ok(())
    }

    fn take(&self, _bytes: &[u8]) -> Result<()> {
        Ok(())
    }

    fn keep(&self) -> Result<()> {
        Ok(())
    }
}
