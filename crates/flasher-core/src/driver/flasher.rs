//! What a flasher can do: the jobs that each has, and the bundle of those that boot one.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::Driver;
use crate::dump::DumpJob;
use crate::error::{Error, Result};
use crate::event::Progress;
use crate::flash::{Defaults, Description, FlashJob, Pinned, Plan, Receipt};
use crate::identify::IdentifyJob;

/// Puts an image on a board, as a transaction with proof.
#[async_trait]
pub trait Flasher: Driver {
    /// What [`Flasher::flash`] would do. Touches nothing.
    ///
    /// # Errors
    /// Everything that can be found out without touching the board.
    async fn plan(&self, job: FlashJob) -> Result<Plan>;

    /// Flashes. Never fails silently: the receipt's verdict is proven, or it names the failure.
    async fn flash(&self, job: FlashJob, progress: Arc<dyn Progress>) -> Receipt;

    /// Reads a medium into a file. Never fails silently: the receipt's verdict is proven, or it names the failure.
    async fn dump(&self, job: DumpJob, progress: Arc<dyn Progress>) -> Receipt;

    /// Says what a medium holds, and writes nothing. The receipt's verdict is identified, or it names the failure.
    async fn identify(&self, job: IdentifyJob, progress: Arc<dyn Progress>) -> Receipt;

    /// What the config chose for jobs that choose nothing.
    fn defaults(&self) -> Defaults;

    /// The bundle that the board boots to be flashed; none for a flasher that works without one.
    fn flasher_bundle(&self) -> Option<&dyn FlasherBundle> {
        None
    }

    /// Does what a job does before it touches the board, as far as it does not need an image, and undoes it: files are looked up,
    /// checked, and put where the board will fetch them.
    ///
    /// # Errors
    /// What a job would fail on.
    async fn rehearse(&self) -> Result<()> {
        Ok(())
    }

    /// How this machine and the board reach each other, in words, as far as that is known before the board is on;
    /// none when there is nothing to tell.
    ///
    /// # Errors
    /// When no network of this machine is the board's.
    async fn route(&self) -> Result<Option<String>> {
        Ok(None)
    }
}

impl dyn Flasher {
    /// The bundle, for a request that makes no sense without one.
    ///
    /// # Errors
    /// When the flasher works without a bundle; class `Config`.
    pub fn required_bundle(&self) -> Result<&dyn FlasherBundle> {
        self.flasher_bundle().ok_or_else(|| {
            Error::config("this flasher works without a bundle: it has no variants, boot files or manifest")
                .help("leave out what asks for them, for example `--variant`")
        })
    }
}

/// The bundle of a flasher: what the board boots to be flashed, and where an image may be written.
#[async_trait]
pub trait FlasherBundle: Send + Sync {
    /// What this flasher boots and where it can write.
    ///
    /// # Errors
    /// When the bundle is missing or wrong.
    async fn describe(&self) -> Result<Description>;

    /// Chooses the device-tree variant for the jobs to come; none chooses that of the config again.
    ///
    /// # Errors
    /// When the bundle has no such variant; the error lists those it has.
    async fn use_variant(&self, variant: Option<String>) -> Result<()>;

    /// Pins the bundle's name to what its registry has now, in the lock file beside the exporter YAML, and pulls it.
    /// Gives nothing when there is no name to pin: the bundle is a folder, or there is none.
    ///
    /// # Errors
    /// When the registry cannot be asked, or the lock file not be written.
    async fn lock_bundle(&self) -> Result<Option<Pinned>> {
        Ok(None)
    }

    /// Puts kernel, initramfs and device tree of the variant in use into the TFTP folder under their base names, for a
    /// client that drives the board by itself; gives where they are. A `bundle` of a registry replaces the configured one
    /// for as long as this flasher lives.
    ///
    /// # Errors
    /// When there is no such bundle, it lacks a file, or the folder cannot be written.
    async fn set_up(&self, bundle: Option<String>) -> Result<Vec<PathBuf>>;

    /// The manifest of the bundle, as it is written.
    ///
    /// # Errors
    /// When the bundle is missing or its manifest is wrong.
    async fn manifest(&self) -> Result<String>;
}
