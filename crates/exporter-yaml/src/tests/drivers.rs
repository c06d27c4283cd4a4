//! Drivers that only these tests know.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use flasher_core::device::Absent;
use flasher_core::{
    ByteStream, ChildSpec, Device, Driver, DriverType, Error, FileServer, FlashJob, Flasher, Kind, Plan,
    PowerDriver, Progress, Receipt, Result, SerialDriver, TransferLog, Wiring,
};

/// No config.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Debug)]
pub(super) struct TestPower;

impl Driver for TestPower {}

#[async_trait]
impl PowerDriver for TestPower {
    async fn on(&self) -> Result<()> {
        Ok(())
    }
    async fn off(&self) -> Result<()> {
        Ok(())
    }
}

impl DriverType for TestPower {
    const NAME: &'static str = "test-power";
    const ALIASES: &'static [&'static str] = &["lab.power.driver.Switch"];
    const SUMMARY: &'static str = "a switch of the tests";
    const EXAMPLE: &'static str = "type: test-power\n";
    type Config = Nothing;
    fn build(_config: Nothing, _wiring: Wiring) -> Result<Device> {
        Ok(Device::Power(Arc::new(Self), None))
    }
}
flasher_core::register_driver!(TestPower);

/// A serial line of the tests.
#[derive(Debug)]
pub(super) struct TestSerial {
    pub(super) baudrate: u32,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SerialConfig {
    /// Where the line is.
    url: String,
    /// Bits a second.
    #[serde(default)]
    baudrate: u32,
    /// Pauses between bytes, milliseconds.
    #[serde(default)]
    #[allow(dead_code, reason = "only its type matters")]
    pauses: Vec<u16>,
    /// How the line is framed.
    #[allow(dead_code, reason = "only its shape matters")]
    framing: Option<Framing>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only its shape matters")]
struct Framing {
    /// Whether there is a parity bit.
    parity: bool,
    /// Stop bits.
    #[serde(default)]
    stop: u8,
}

impl Driver for TestSerial {}

#[async_trait]
impl SerialDriver for TestSerial {
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        Ok(Box::new(tokio::io::duplex(1).0))
    }
}

impl DriverType for TestSerial {
    const NAME: &'static str = "test-serial";
    const ALIASES: &'static [&'static str] = &["lab.serial.Driver"];
    const SUMMARY: &'static str = "a line of the tests";
    const EXAMPLE: &'static str = "type: test-serial\nconfig:\n  url: here\n";
    type Config = SerialConfig;
    fn build(config: SerialConfig, _wiring: Wiring) -> Result<Device> {
        if config.url.is_empty() {
            return Err(Error::config("`url` is empty").with("key", "url").help("name a port"));
        }
        Ok(Device::Serial(Arc::new(Self { baudrate: config.baudrate })))
    }
}
flasher_core::register_driver!(TestSerial);

/// A file server of the tests.
#[derive(Debug)]
pub(super) struct TestFiles {
    pub(super) root: PathBuf,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FilesConfig {
    /// The folder.
    root: PathBuf,
}

impl Driver for TestFiles {}

#[async_trait]
impl FileServer for TestFiles {
    async fn start(&self, _log: TransferLog) -> Result<SocketAddr> {
        Err(Error::infrastructure("a test never starts this"))
    }
    async fn stop(&self) -> Result<()> {
        Ok(())
    }
    fn address(&self) -> Option<SocketAddr> {
        None
    }
    fn root(&self) -> PathBuf {
        self.root.clone()
    }
}

impl DriverType for TestFiles {
    const NAME: &'static str = "test-files";
    const SUMMARY: &'static str = "a file server of the tests";
    const EXAMPLE: &'static str = "type: test-files\nconfig:\n  root: files\n";
    type Config = FilesConfig;
    fn build(config: FilesConfig, wiring: Wiring) -> Result<Device> {
        Ok(Device::FileServer(Arc::new(Self { root: wiring.file(config.root) })))
    }
}
flasher_core::register_driver!(TestFiles);

/// A flasher of the tests: one child of each sort.
#[derive(Debug)]
pub(super) struct TestFlasher {
    pub(super) board: String,
    pub(super) power: Arc<dyn PowerDriver>,
    pub(super) serial: Arc<dyn SerialDriver>,
    pub(super) tftp: Arc<dyn FileServer>,
    pub(super) spare: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FlasherConfig {
    /// The board to flash.
    board: String,
    /// Folder of the files the board loads.
    #[serde(default)]
    files: String,
}

impl Driver for TestFlasher {}

#[async_trait]
impl Flasher for TestFlasher {
    async fn plan(&self, _job: FlashJob) -> Result<Plan> {
        Err(Error::config("a test never asks this"))
    }
    fn defaults(&self) -> flasher_core::Defaults {
        flasher_core::Defaults::default()
    }
    async fn flash(&self, _job: FlashJob, _progress: Arc<dyn Progress>) -> Receipt {
        unreachable!("a test never flashes")
    }
    async fn dump(&self, _job: flasher_core::DumpJob, _progress: Arc<dyn Progress>) -> Receipt {
        unreachable!("a test never dumps")
    }
    async fn identify(&self, _job: flasher_core::IdentifyJob, _progress: Arc<dyn Progress>) -> Receipt {
        unreachable!("a test never looks at a medium")
    }
}

const fn child(role: &'static str, kind: Kind, absent: Absent, purpose: &'static str) -> ChildSpec {
    ChildSpec { role, kind, absent, purpose }
}

impl DriverType for TestFlasher {
    const NAME: &'static str = "test-flasher";
    const SUMMARY: &'static str = "a flasher of the tests";
    const EXAMPLE: &'static str = "type: test-flasher\n";
    const CHILDREN: &'static [ChildSpec] = &[
        child("power", Kind::Power, Absent::Refused, "resets the board"),
        child("serial", Kind::Serial, Absent::Refused, "the board's console"),
        child("spare", Kind::Power, Absent::Fine, "a second switch"),
        child("tftp", Kind::FileServer, Absent::Made("test-files"), "serves what the board loads"),
    ];
    type Config = FlasherConfig;
    fn made_child(config: &FlasherConfig, _role: &str) -> Value {
        json!({ "root": config.files })
    }
    fn build(config: FlasherConfig, wiring: Wiring) -> Result<Device> {
        Ok(Device::Flasher(Arc::new(Self {
            board: config.board,
            power: wiring.power("power")?,
            serial: wiring.serial("serial")?,
            tftp: wiring.file_server("tftp")?,
            spare: wiring.power("spare").is_ok(),
        })))
    }
}
flasher_core::register_driver!(TestFlasher);

/// A driver that makes two devices: a simulated board.
#[derive(Debug)]
pub(super) struct TestSim;

impl DriverType for TestSim {
    const NAME: &'static str = "test-sim";
    const SUMMARY: &'static str = "a board of the tests";
    const EXAMPLE: &'static str = "type: test-sim\n";
    type Config = Nothing;
    fn build(_config: Nothing, _wiring: Wiring) -> Result<Device> {
        Ok(Device::Group(BTreeMap::from([
            ("power".to_owned(), Device::Power(Arc::new(TestPower), None)),
            ("serial".to_owned(), Device::Serial(Arc::new(TestSerial { baudrate: 9600 }))),
        ])))
    }
}
flasher_core::register_driver!(TestSim);

flasher_core::__inventory::submit! {
    flasher_core::BundleEntry {
        name: "test-board",
        aliases: &["lab.boards.driver.TestBoard"],
        manifest: "kind: FlashBundleManifest",
        driver: "test-flasher",
    }
}
