//! BaseFlasher as a driver: how it is built from its children, and what it answers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bundle_store::{Bundle, Files};
use flasher_core::device::Absent;
use flasher_core::{
    BootFile, ChildSpec, Defaults, Description, Device, Driver, DriverType, DumpJob, FlashJob, Flasher, Kind,
    Pinned, Plan, Progress, Receipt, Result, Wiring, async_trait,
};
use serde_json::{Value, json};

use crate::blocking::blocking;
use crate::config::FlasherConfig;
use crate::flasher::{BaseFlasher, locked};
use crate::step::plan;
use crate::{bundle, route, transaction, trouble};

impl BaseFlasher {
    async fn described(&self) -> Result<Description> {
        let bundle = self.bundle().await?;
        let variant = self.variant();
        let target = self.target(&bundle, None)?.0;
        blocking(move || {
            plan::expected_by(bundle.manifest())?;
            let files = bundle.files(variant.as_deref()).map_err(|error| trouble::bundle(&error))?;
            let digest = bundle.digest().map_err(|error| trouble::bundle(&error))?;
            Ok(description(&bundle, &files, target, digest.to_string()))
        })
        .await
    }
}

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
    async fn describe(&self) -> Result<Description> {
        let failed = match self.described().await {
            Ok(description) => return Ok(description),
            Err(error) => error,
        };
        // Where a file in the cache was damaged without a trace, looking closer removes it and brings it again.
        let (config, shelf) = self.source();
        match shelf.distrust(&config, &self.folder).await? {
            true => self.described().await,
            false => Err(failed),
        }
    }

    async fn use_variant(&self, variant: &str) -> Result<()> {
        let bundle = self.bundle().await?;
        bundle.manifest().boot(Some(variant)).map_err(|error| trouble::bundle(&error))?;
        *locked(&self.variant) = Some(variant.to_owned());
        Ok(())
    }

    async fn lock_bundle(&self) -> Result<Option<Pinned>> {
        self.shelf.lock(&self.config, &self.folder).await
    }

    async fn set_up(&self, bundle: Option<String>) -> Result<Vec<PathBuf>> {
        if let Some(reference) = bundle {
            self.force(&reference).await?;
        }
        self.stage().await
    }

    async fn manifest(&self) -> Result<String> {
        Ok(self.bundle().await?.manifest_text().to_owned())
    }

    async fn rehearse(&self) -> Result<()> {
        transaction::rehearse(self).await
    }

    async fn route(&self) -> Result<Option<String>> {
        if self.power.is_virtual() {
            return Ok(Some("the board lives on this machine and brings its network with it".to_owned()));
        }
        route::tell(&route::own_addresses()?, self.config.network.as_ref()).map(Some)
    }

    fn defaults(&self) -> Defaults {
        let cacert = self.config.cacert.as_ref().map(|file| self.folder.join(file));
        let registry = bundle::registry(&self.config);
        Defaults { target: self.config.default_target.clone(), cacert, registry }
    }

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
}

fn description(bundle: &Bundle, files: &Files, default_target: String, bundle_sha256: String) -> Description {
    let manifest = bundle.manifest();
    let targets: BTreeMap<_, _> =
        manifest.spec.targets.iter().map(|(name, device)| (name.to_owned(), device.to_owned())).collect();
    let dir = bundle.dir();
    let file = |file: &bundle_store::File| BootFile {
        file: file.path.strip_prefix(dir).unwrap_or(&file.path).display().to_string(),
        name: file.name.clone(),
        address: format!("{:#x}", file.address),
        length: file.length,
    };
    Description {
        board: manifest.metadata.name.clone(),
        targets,
        default_target,
        variants: manifest.variants().into_iter().map(str::to_owned).collect(),
        variant: files.variant.clone(),
        kernel: file(&files.kernel),
        initram: files.initram.as_ref().map(file),
        dtb: files.dtb.as_ref().map(file),
        bootcmd: files.bootcmd.clone(),
        bundle_sha256,
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
            absent: Absent::Refused,
            purpose: "the board's console",
        },
        ChildSpec {
            role: "power",
            kind: Kind::Power,
            absent: Absent::Refused,
            purpose: "switches the board",
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

    fn build(config: FlasherConfig, wiring: Wiring) -> Result<Device> {
        Ok(Device::Flasher(Arc::new(Self {
            serial: wiring.serial("serial")?,
            power: wiring.power("power")?,
            tftp: wiring.file_server("tftp")?,
            http: wiring.content_server("http")?,
            uboot: wiring.boot_console("uboot")?,
            folder: wiring.file(""),
            shelf: Arc::default(),
            variant: Mutex::new(config.variant.clone()),
            forced: Mutex::default(),
            busy: tokio::sync::Mutex::new(()),
            config,
        })))
    }
}
