//! Types around a power switch, and around a meter.

use std::time::Duration;

use async_trait::async_trait;

use super::{Wrapped, Wrapper};
use crate::driver::{PowerDriver, PowerMeter, Reading};
use crate::error::Result;

/// A type around a power switch.
#[async_trait]
pub trait PowerWrapper: Wrapper<Device: PowerDriver> {
    /// As [`PowerDriver::on`].
    ///
    /// # Errors
    /// Those of the device.
    async fn on(&self) -> Result<()> {
        self.wrapped().on().await
    }

    /// As [`PowerDriver::off`].
    ///
    /// # Errors
    /// Those of the device.
    async fn off(&self) -> Result<()> {
        self.wrapped().off().await
    }

    /// As [`PowerDriver::state`].
    ///
    /// # Errors
    /// Those of the device.
    async fn state(&self) -> Result<Option<bool>> {
        self.wrapped().state().await
    }

    /// As [`PowerDriver::is_virtual`].
    fn is_virtual(&self) -> bool {
        self.wrapped().is_virtual()
    }

    /// As [`PowerDriver::is_by_hand`].
    fn is_by_hand(&self) -> bool {
        self.wrapped().is_by_hand()
    }

    /// As [`PowerDriver::cycle`]. It has no default, as both would be wrong for some: the device's own cycle does not
    /// call a changed `on` or `off`, and `off`, a wait and `on` do not use a cycle that the device does by itself.
    ///
    /// A wrapper that changes neither `on` nor `off` writes `self.wrapped().cycle(wait).await`.
    ///
    /// # Errors
    /// Those of the device.
    async fn cycle(&self, wait: Duration) -> Result<()>;
}

#[async_trait]
impl<W: PowerWrapper> PowerDriver for Wrapped<W> {
    async fn on(&self) -> Result<()> {
        self.0.on().await
    }

    async fn off(&self) -> Result<()> {
        self.0.off().await
    }

    async fn state(&self) -> Result<Option<bool>> {
        self.0.state().await
    }

    fn is_virtual(&self) -> bool {
        self.0.is_virtual()
    }

    fn is_by_hand(&self) -> bool {
        self.0.is_by_hand()
    }

    async fn cycle(&self, wait: Duration) -> Result<()> {
        self.0.cycle(wait).await
    }
}

/// A type around a power meter.
#[async_trait]
pub trait PowerMeterWrapper: Wrapper<Device: PowerMeter> {
    /// As [`PowerMeter::read`].
    ///
    /// # Errors
    /// Those of the device.
    async fn read(&self) -> Result<Vec<Reading>> {
        self.wrapped().read().await
    }
}

#[async_trait]
impl<W: PowerMeterWrapper> PowerMeter for Wrapped<W> {
    async fn read(&self) -> Result<Vec<Reading>> {
        self.0.read().await
    }
}
