//! Wrapping a device: what the wrapper does not change is forwarded to the device, all of it.
//!
//! A type that implements [`PowerDriver`](crate::PowerDriver) by hand around another one has the defaults of the trait for
//! every method it forgets: it no longer tells the state, or is no longer closed. A [`Wrapper`] has none to forget: every
//! method forwards until it is written. [`Wrapped`] makes the driver of it.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use flasher_core::wrapper::{PowerWrapper, Wrapper};
//! use flasher_core::{Device, PowerDriver, Result, Wiring, async_trait};
//!
//! /// Waits before it switches on.
//! #[derive(Debug)]
//! struct Late(Arc<dyn PowerDriver>);
//!
//! impl Wrapper for Late {
//!     type Device = dyn PowerDriver;
//!
//!     fn wrapped(&self) -> &Self::Device {
//!         self.0.as_ref()
//!     }
//! }
//!
//! #[async_trait]
//! impl PowerWrapper for Late {
//!     async fn on(&self) -> Result<()> {
//!         tokio::time::sleep(Duration::from_secs(1)).await;
//!         self.wrapped().on().await
//!     }
//!
//!     async fn cycle(&self, wait: Duration) -> Result<()> {
//!         self.off().await?;
//!         tokio::time::sleep(wait).await;
//!         self.on().await
//!     }
//! }
//!
//! fn with_late_power(mut wiring: Wiring) -> Result<Wiring> {
//!     wiring.wrap_power("power", Late)?;
//!     Ok(wiring)
//! }
//! ```

mod files;
mod flasher;
mod power;
mod serial;

use std::fmt;

use async_trait::async_trait;

use crate::driver::{BootConsole, Driver, StopKeys};
use crate::error::Result;

pub use files::{ContentServerWrapper, FileServerWrapper};
pub use flasher::FlasherWrapper;
pub use power::{PowerMeterWrapper, PowerWrapper};
pub use serial::SerialWrapper;

/// A type around a device, with the methods of [`Driver`].
#[async_trait]
pub trait Wrapper: fmt::Debug + Send + Sync + 'static {
    /// What is wrapped, for example `dyn PowerDriver`.
    type Device: Driver + ?Sized;

    /// The device itself.
    fn wrapped(&self) -> &Self::Device;

    /// As [`Driver::probe`].
    ///
    /// # Errors
    /// Those of the device.
    async fn probe(&self) -> Result<()> {
        self.wrapped().probe().await
    }

    /// As [`Driver::examine`]: the probe of the wrapper, then what the device examines.
    ///
    /// # Errors
    /// Those of the wrapper's probe and of the device.
    async fn examine(&self) -> Result<()> {
        self.probe().await?;
        self.wrapped().examine().await
    }

    /// As [`Driver::check_files`].
    ///
    /// # Errors
    /// Those of the device.
    async fn check_files(&self) -> Result<()> {
        self.wrapped().check_files().await
    }

    /// As [`Driver::identities`].
    async fn identities(&self) -> Vec<String> {
        self.wrapped().identities().await
    }

    /// As [`Driver::close`].
    ///
    /// # Errors
    /// Those of the device.
    async fn close(&self) -> Result<()> {
        self.wrapped().close().await
    }
}

/// A [`Wrapper`] as a driver.
#[derive(Debug)]
pub struct Wrapped<W>(pub W);

#[async_trait]
impl<W: Wrapper> Driver for Wrapped<W> {
    async fn probe(&self) -> Result<()> {
        self.0.probe().await
    }

    async fn examine(&self) -> Result<()> {
        self.0.examine().await
    }

    async fn check_files(&self) -> Result<()> {
        self.0.check_files().await
    }

    async fn identities(&self) -> Vec<String> {
        self.0.identities().await
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}

/// A type around a boot console.
pub trait BootConsoleWrapper: Wrapper<Device: BootConsole> {
    /// As [`BootConsole::prompt`].
    fn prompt(&self) -> String {
        self.wrapped().prompt()
    }

    /// As [`BootConsole::interrupt`].
    fn interrupt(&self) -> Option<StopKeys> {
        self.wrapped().interrupt()
    }
}

impl<W: BootConsoleWrapper> BootConsole for Wrapped<W> {
    fn prompt(&self) -> String {
        self.0.prompt()
    }

    fn interrupt(&self) -> Option<StopKeys> {
        self.0.interrupt()
    }
}

#[cfg(test)]
mod tests;
