//! Types around a flasher.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Wrapped, Wrapper};
use crate::driver::Flasher;
use crate::dump::DumpJob;
use crate::error::Result;
use crate::event::Progress;
use crate::flash::{Defaults, Description, FlashJob, Pinned, Plan, Receipt};

/// A type around a flasher.
#[async_trait]
pub trait FlasherWrapper: Wrapper<Device: Flasher> {
    /// As [`Flasher::describe`].
    ///
    /// # Errors
    /// Those of the device.
    async fn describe(&self) -> Result<Description> {
        self.wrapped().describe().await
    }

    /// As [`Flasher::use_variant`].
    ///
    /// # Errors
    /// Those of the device.
    async fn use_variant(&self, variant: &str) -> Result<()> {
        self.wrapped().use_variant(variant).await
    }

    /// As [`Flasher::lock_bundle`].
    ///
    /// # Errors
    /// Those of the device.
    async fn lock_bundle(&self) -> Result<Option<Pinned>> {
        self.wrapped().lock_bundle().await
    }

    /// As [`Flasher::plan`].
    ///
    /// # Errors
    /// Those of the device.
    async fn plan(&self, job: FlashJob) -> Result<Plan> {
        self.wrapped().plan(job).await
    }

    /// As [`Flasher::set_up`].
    ///
    /// # Errors
    /// Those of the device.
    async fn set_up(&self, bundle: Option<String>) -> Result<Vec<PathBuf>> {
        self.wrapped().set_up(bundle).await
    }

    /// As [`Flasher::manifest`].
    ///
    /// # Errors
    /// Those of the device.
    async fn manifest(&self) -> Result<String> {
        self.wrapped().manifest().await
    }

    /// As [`Flasher::rehearse`].
    ///
    /// # Errors
    /// Those of the device.
    async fn rehearse(&self) -> Result<()> {
        self.wrapped().rehearse().await
    }

    /// As [`Flasher::route`].
    ///
    /// # Errors
    /// Those of the device.
    async fn route(&self) -> Result<Option<String>> {
        self.wrapped().route().await
    }

    /// As [`Flasher::defaults`].
    fn defaults(&self) -> Defaults {
        self.wrapped().defaults()
    }

    /// As [`Flasher::flash`].
    async fn flash(&self, job: FlashJob, progress: Arc<dyn Progress>) -> Receipt {
        self.wrapped().flash(job, progress).await
    }

    /// As [`Flasher::dump`].
    async fn dump(&self, job: DumpJob, progress: Arc<dyn Progress>) -> Receipt {
        self.wrapped().dump(job, progress).await
    }
}

#[async_trait]
impl<W: FlasherWrapper> Flasher for Wrapped<W> {
    async fn describe(&self) -> Result<Description> {
        self.0.describe().await
    }

    async fn use_variant(&self, variant: &str) -> Result<()> {
        self.0.use_variant(variant).await
    }

    async fn lock_bundle(&self) -> Result<Option<Pinned>> {
        self.0.lock_bundle().await
    }

    async fn plan(&self, job: FlashJob) -> Result<Plan> {
        self.0.plan(job).await
    }

    async fn set_up(&self, bundle: Option<String>) -> Result<Vec<PathBuf>> {
        self.0.set_up(bundle).await
    }

    async fn manifest(&self) -> Result<String> {
        self.0.manifest().await
    }

    async fn rehearse(&self) -> Result<()> {
        self.0.rehearse().await
    }

    async fn route(&self) -> Result<Option<String>> {
        self.0.route().await
    }

    fn defaults(&self) -> Defaults {
        self.0.defaults()
    }

    async fn flash(&self, job: FlashJob, progress: Arc<dyn Progress>) -> Receipt {
        self.0.flash(job, progress).await
    }

    async fn dump(&self, job: DumpJob, progress: Arc<dyn Progress>) -> Receipt {
        self.0.dump(job, progress).await
    }
}
