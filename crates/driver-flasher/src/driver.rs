//! BaseFlasher as a driver: how it is built from its children, and what it answers.

use std::sync::{Arc, Mutex};

use flasher_core::device::{Absent, child_error};
use flasher_core::flash::{Via, ViaUsed};
use flasher_core::{
    ChildSpec, Defaults, Device, Driver, DriverType, DumpJob, Error, FlashJob, Flasher, FlasherBundle,
    IdentifyJob, Kind, Plan, Progress, Receipt, Result, Wiring, async_trait,
};
use job_recording::{RecordedPower, RecordedSerial, Recorder};
use serde_json::{Value, json};

use crate::access::uboot::BlockDevice;
use crate::blocking::blocking;
use crate::config::FlasherConfig;
use crate::device_name::DeviceName;
use crate::flasher::BaseFlasher;
use crate::{bundle, route, transaction};

/// The board's lines, and what each is for.
const LINES: [(&str, Kind, &str); 2] =
    [("serial", Kind::Serial, "the board's console"), ("power", Kind::Power, "switches the board")];

#[async_trait]
impl Driver for BaseFlasher {
    async fn probe(&self) -> Result<()> {
        self.check_files().await
    }

    async fn check_files(&self) -> Result<()> {
        let (config, folder) = (self.config.clone(), self.folder.clone());
        blocking(move || bundle::check_files(&config, &folder)).await
    }

    async fn close(&self) -> Result<()> {
        let tftp = self.tftp.stop().await;
        self.http.stop().await?;
        tftp
    }
}

#[async_trait]
impl Flasher for BaseFlasher {
    async fn plan(&self, job: FlashJob) -> Result<Plan> {
        transaction::plan(self, job).await
    }

    async fn flash(&self, job: FlashJob, progress: Arc<dyn Progress>) -> Receipt {
        let owner = self.busy.try_lock();
        let free = owner.is_ok();
        transaction::flash(self, job, progress, free).await
    }

    async fn dump(&self, job: DumpJob, progress: Arc<dyn Progress>) -> Receipt {
        let owner = self.busy.try_lock();
        let free = owner.is_ok();
        transaction::dump(self, job, progress, free).await
    }

    async fn identify(&self, job: IdentifyJob, progress: Arc<dyn Progress>) -> Receipt {
        let owner = self.busy.try_lock();
        let free = owner.is_ok();
        transaction::identify(self, job, progress, free).await
    }

    fn defaults(&self) -> Defaults {
        let cacert = self.config.cacert.as_ref().map(|file| self.folder.join(file));
        let registry = bundle::registry(&self.config);
        Defaults { target: self.config.default_target.clone(), cacert, registry }
    }

    fn flasher_bundle(&self) -> Option<&dyn FlasherBundle> {
        // A board that its boot loader flashes has no bundle, and none is fetched for it.
        (self.way(None) == ViaUsed::Linux || self.config.flasher_bundle.is_some()).then_some(self as _)
    }

    async fn rehearse(&self) -> Result<()> {
        transaction::rehearse(self).await
    }

    async fn route(&self) -> Result<Option<String>> {
        if self.way(None) == ViaUsed::Host {
            return Ok(Some("the medium is a disk of this machine: no network is needed".to_owned()));
        }
        if self.power()?.is_virtual() {
            return Ok(Some("the board lives on this machine and brings its network with it".to_owned()));
        }
        route::tell(&route::own_addresses()?, self.config.network.as_ref()).map(Some)
    }
}

impl DriverType for BaseFlasher {
    const NAME: &'static str = "flasher";
    const ALIASES: &'static [&'static str] = &["jumpstarter_driver_flashers.driver.BaseFlasher"];
    const SUMMARY: &'static str =
        "flashes a board: boots a small Linux over the network, writes the image, reads it back";
    const EXAMPLE: &'static str = "\
type: flasher
config:
  flasher_bundle: ./bundle
children:
  serial: { type: serial, config: { url: \"loop://\" } }
  power: { type: power-mock }
";
    const CHILDREN: &'static [ChildSpec] = &[
        ChildSpec {
            role: "serial",
            kind: Kind::Serial,
            absent: Absent::Fine,
            purpose: "the board's console; needed unless its medium is a disk of this machine",
        },
        ChildSpec {
            role: "power",
            kind: Kind::Power,
            absent: Absent::Fine,
            purpose: "switches the board; needed unless its medium is a disk of this machine",
        },
        ChildSpec {
            role: "mux",
            kind: Kind::StorageMux,
            absent: Absent::Fine,
            purpose: "gives the board's medium to this machine, for `via: host`",
        },
        ChildSpec {
            role: "tftp",
            kind: Kind::FileServer,
            absent: Absent::Made("tftp"),
            purpose: "serves kernel, initramfs and device tree",
        },
        ChildSpec {
            role: "http",
            kind: Kind::ContentServer,
            absent: Absent::Made("http"),
            purpose: "serves the image",
        },
        ChildSpec {
            role: "uboot",
            kind: Kind::BootConsole,
            absent: Absent::Made("uboot"),
            purpose: "how the boot loader is recognised",
        },
    ];
    type Config = FlasherConfig;

    fn made_child(config: &FlasherConfig, role: &str) -> Value {
        match role {
            "tftp" => json!({ "root_dir": config.tftp_dir }),
            "http" => json!({ "root_dir": config.http_dir }),
            _ => Value::Null,
        }
    }

    fn build(config: FlasherConfig, mut wiring: Wiring) -> Result<Device> {
        for (name, device) in &config.targets {
            let of_this_machine = device.parse::<DeviceName>().map(drop);
            // With `via: uboot` a wrong name is one of the boot loader's media.
            let parsed = match DeviceName::is_meant_by(device) && config.via != Via::Uboot {
                true => of_this_machine,
                false => of_this_machine.or_else(|_| device.parse::<BlockDevice>().map(drop)),
            };
            parsed.map_err(|error| error.with("target", name.clone()).with("node", wiring.path()))?;
        }
        // Only where a job can write a disk of this machine may the board's lines be missing.
        let missing = LINES.into_iter().find(|(role, ..)| !wiring.has(role));
        if let (None, Some((role, kind, purpose))) = (config.targets_of(ViaUsed::Host).next(), missing) {
            return Err(child_error(role, kind, purpose, None).with("node", wiring.path()));
        }
        if config.host.ums.is_some() && wiring.has("mux") {
            let text = "`host: { ums }` has the boot loader give the medium to this machine, and the child `mux` does so too";
            return Err(Error::config(text).help("leave one of them out").with("node", wiring.path()));
        }
        let recorder = Arc::new(Recorder::default());
        if wiring.has("serial") {
            wiring.wrap_serial("serial", |line| RecordedSerial::new(line, Arc::clone(&recorder)))?;
        }
        if wiring.has("power") {
            wiring.wrap_power("power", |power| RecordedPower::new(power, Arc::clone(&recorder)))?;
        }
        Ok(Device::Flasher(Arc::new(Self {
            recorder,
            serial: wiring.has("serial").then(|| wiring.serial("serial")).transpose()?,
            power: wiring.has("power").then(|| wiring.power("power")).transpose()?,
            mux: wiring.has("mux").then(|| wiring.storage_mux("mux")).transpose()?,
            tftp: wiring.file_server("tftp")?,
            http: wiring.content_server("http")?,
            uboot: wiring.boot_console("uboot")?,
            folder: wiring.file(""),
            found: Arc::default(),
            variant: Mutex::new(config.variant.clone()),
            forced: Mutex::default(),
            medium_open: Arc::default(),
            busy: tokio::sync::Mutex::new(()),
            config,
        })))
    }
}
