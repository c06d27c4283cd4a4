//! Types around a flasher.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Wrapped, Wrapper};
use crate::driver::{Flasher, FlasherBundle};
use crate::dump::DumpJob;
use crate::error::Result;
use crate::event::Progress;
use crate::flash::{Defaults, FlashJob, Plan, Receipt};
use crate::identify::IdentifyJob;

/// A type around a flasher.
#[async_trait]
pub trait FlasherWrapper: Wrapper<Device: Flasher> {
    /// As [`Flasher::plan`].
    ///
    /// # Errors
    /// Those of the device.
    async fn plan(&self, job: FlashJob) -> Result<Plan> {
        self.wrapped().plan(job).await
    }

    /// As [`Flasher::flash`].
    async fn flash(&self, job: FlashJob, progress: Arc<dyn Progress>) -> Receipt {
        self.wrapped().flash(job, progress).await
    }

    /// As [`Flasher::dump`].
    async fn dump(&self, job: DumpJob, progress: Arc<dyn Progress>) -> Receipt {
        self.wrapped().dump(job, progress).await
    }

    /// As [`Flasher::identify`].
    async fn identify(&self, job: IdentifyJob, progress: Arc<dyn Progress>) -> Receipt {
        self.wrapped().identify(job, progress).await
    }

    /// As [`Flasher::defaults`].
    fn defaults(&self) -> Defaults {
        self.wrapped().defaults()
    }

    /// As [`Flasher::flasher_bundle`].
    fn flasher_bundle(&self) -> Option<&dyn FlasherBundle> {
        self.wrapped().flasher_bundle()
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
}

#[async_trait]
impl<W: FlasherWrapper> Flasher for Wrapped<W> {
    async fn plan(&self, job: FlashJob) -> Result<Plan> {
        self.0.plan(job).await
    }

    async fn flash(&self, job: FlashJob, progress: Arc<dyn Progress>) -> Receipt {
        self.0.flash(job, progress).await
    }

    async fn dump(&self, job: DumpJob, progress: Arc<dyn Progress>) -> Receipt {
        self.0.dump(job, progress).await
    }

    async fn identify(&self, job: IdentifyJob, progress: Arc<dyn Progress>) -> Receipt {
        self.0.identify(job, progress).await
    }

    fn defaults(&self) -> Defaults {
        self.0.defaults()
    }

    fn flasher_bundle(&self) -> Option<&dyn FlasherBundle> {
        self.0.flasher_bundle()
    }

    async fn rehearse(&self) -> Result<()> {
        self.0.rehearse().await
    }

    async fn route(&self) -> Result<Option<String>> {
        self.0.route().await
    }
}
