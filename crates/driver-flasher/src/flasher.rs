//! BaseFlasher: the devices it was given, and the bundle it works with.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bundle_store::Bundle;
use flasher_core::flash::{Via, ViaUsed};
use flasher_core::{
    BootConsole, ContentServer, Error, FileServer, PowerDriver, Result, SerialDriver, StorageMux,
};

use job_recording::Recorder;

use crate::blocking::blocking;
use crate::config::FlasherConfig;
use crate::staging::Staging;
use crate::{bundle, trouble};

/// Flashes a board through its serial line, its power switch and its network.
#[derive(Debug)]
pub struct BaseFlasher {
    pub(crate) config: FlasherConfig,
    /// None where the board's medium is a disk of this machine, and its console is not needed.
    pub(crate) serial: Option<Arc<dyn SerialDriver>>,
    /// None where the same is so of its power.
    pub(crate) power: Option<Arc<dyn PowerDriver>>,
    /// Gives the board's medium to this machine.
    pub(crate) mux: Option<Arc<dyn StorageMux>>,
    pub(crate) tftp: Arc<dyn FileServer>,
    pub(crate) http: Arc<dyn ContentServer>,
    pub(crate) uboot: Arc<dyn BootConsole>,
    pub(crate) folder: PathBuf,
    pub(crate) found: Arc<bundle::FoundBundle>,
    pub(crate) variant: Mutex<Option<String>>,
    /// Listens to the lines while a flash runs.
    pub(crate) recorder: Arc<Recorder>,
    /// The bundle a client asked for, instead of the config's.
    pub(crate) forced: Mutex<Option<(String, Arc<bundle::FoundBundle>)>>,
    /// Held while a disk of this machine is open, also by work that nothing waits for any more.
    pub(crate) medium_open: Arc<tokio::sync::Mutex<()>>,
    /// Held by the one job that may own the board.
    pub(crate) busy: tokio::sync::Mutex<()>,
}

impl BaseFlasher {
    /// The bundle. A folder is opened anew each time, so that a changed one is seen; one out of a registry stays the
    /// same for as long as this flasher lives.
    ///
    /// # Errors
    /// When it is missing, its registry does not give it, or its manifest is wrong.
    pub async fn bundle(&self) -> Result<Bundle> {
        let (config, found) = self.source();
        let place = found.find(&config, &self.folder).await?;
        blocking(move || bundle::open(place, &config)).await
    }

    /// The way to the medium that a job takes: its own choice, or else the config's.
    pub(crate) fn way(&self, chosen: Option<Via>) -> ViaUsed {
        let (config, _) = self.source();
        match chosen.unwrap_or(config.via) {
            Via::Linux => ViaUsed::Linux,
            Via::Uboot => ViaUsed::Uboot,
            Via::Host => ViaUsed::Host,
            Via::Auto if config.flasher_bundle.is_some() => ViaUsed::Linux,
            Via::Auto if config.targets.is_empty() && boot_loader_alone_writes(&config) => ViaUsed::Uboot,
            Via::Auto if config.targets.is_empty() => ViaUsed::Linux,
            Via::Auto if config.targets_of(ViaUsed::Uboot).next().is_none() => ViaUsed::Host,
            Via::Auto => ViaUsed::Uboot,
        }
    }

    /// The board's serial line.
    ///
    /// # Errors
    /// When the flasher has none.
    pub(crate) fn serial(&self) -> Result<&Arc<dyn SerialDriver>> {
        self.serial.as_ref().ok_or_else(|| lacks("serial"))
    }

    /// Whether the board's console and power can be used.
    pub(crate) fn has_lines(&self) -> bool {
        self.serial.is_some() && self.power.is_some()
    }

    /// The board's power switch.
    ///
    /// # Errors
    /// When the flasher has none.
    pub(crate) fn power(&self) -> Result<&Arc<dyn PowerDriver>> {
        self.power.as_ref().ok_or_else(|| lacks("power"))
    }

    /// Where the bundle comes from.
    pub(crate) fn source(&self) -> (FlasherConfig, Arc<bundle::FoundBundle>) {
        match locked(&self.forced).clone() {
            Some((name, found)) => (self.config_with(name), found),
            None => (self.config.clone(), Arc::clone(&self.found)),
        }
    }

    /// Copies kernel, initramfs and device tree of the variant in use into the TFTP folder, under their base names.
    ///
    /// # Errors
    /// When the bundle lacks a file or the folder cannot be written.
    pub async fn stage(&self) -> Result<Vec<PathBuf>> {
        let bundle = self.bundle().await?;
        let (variant, root) = (self.variant(), self.tftp.root());
        let files =
            blocking(move || bundle.files(variant.as_deref()).map_err(|error| trouble::bundle(&error)))
                .await?;
        Staging::default().fill(&files, root).await
    }

    /// The variant in use; none means the manifest's default.
    pub(crate) fn variant(&self) -> Option<String> {
        locked(&self.variant).clone()
    }

    fn config_with(&self, bundle: String) -> FlasherConfig {
        FlasherConfig { flasher_bundle: Some(bundle), ..self.config.clone() }
    }

    /// Takes another bundle from now on: one of a registry, as the caller may be any client on the network.
    ///
    /// # Errors
    /// When it is no reference, or cannot be opened; the bundle in use stays.
    pub(crate) async fn force(&self, reference: &str) -> Result<()> {
        if !is_reference(reference) {
            return Err(Error::config(format!("`{reference}` is no bundle reference"))
                .help("give one like `quay.io/acme/flasher:v1`; folders are named in the exporter YAML"));
        }
        let (config, found) =
            (self.config_with(reference.to_owned()), Arc::new(bundle::FoundBundle::default()));
        let place = found.find(&config, &self.folder).await?;
        blocking(move || bundle::open(place, &config)).await?;
        *locked(&self.forced) = Some((reference.to_owned(), found));
        Ok(())
    }

    /// Name and device of the target a job asks for.
    pub(crate) fn target(&self, bundle: &Bundle, wanted: Option<&str>) -> Result<(String, String)> {
        let wanted = wanted.or(self.config.default_target.as_deref());
        let (name, device) = bundle.manifest().target(wanted).map_err(|error| trouble::bundle(&error))?;
        Ok((name.to_owned(), device.to_owned()))
    }
}

/// A child is missing that only a medium of this machine does without.
fn lacks(role: &str) -> Error {
    Error::config(format!("the flasher has no child `{role}`, which this job needs"))
        .help(format!("give it below `children:`; only a flash with `via: host` and without `--expect-boot` needs no `{role}`"))
}

/// Whether this build's manifest of the board has media for the boot loader, and no bundle.
fn boot_loader_alone_writes(config: &FlasherConfig) -> bool {
    let board = config.board.as_deref().and_then(|name| bundle::board(name).ok());
    board.is_some_and(|board| !board.spec.uboot.is_empty() && board.spec.bundle.is_none())
}

/// What is behind a lock, also after a panic of who held it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether it looks like a reference in a registry: host, path, and none of the ways to name a folder.
fn is_reference(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./:@_-".contains(&byte);
    let parts = text.split('/').collect::<Vec<_>>();
    text.len() <= 512
        && text.bytes().all(plain)
        && parts.len() > 1
        && parts.iter().all(|part| !part.is_empty() && !part.starts_with('.'))
}
