//! Types around a serial line.

use async_trait::async_trait;
use tokio::io::AsyncRead;

use super::{Wrapped, Wrapper};
use crate::driver::{ByteStream, ControlLines, Port, SerialDriver};
use crate::error::Result;

/// A type around a serial line.
#[async_trait]
pub trait SerialWrapper: Wrapper<Device: SerialDriver> {
    /// As [`SerialDriver::open`].
    ///
    /// # Errors
    /// Those of the device.
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        self.wrapped().open().await
    }

    /// As [`SerialDriver::watch`].
    ///
    /// # Errors
    /// Those of the device.
    async fn watch(&self) -> Result<Option<Box<dyn AsyncRead + Send + Unpin>>> {
        self.wrapped().watch().await
    }

    /// As [`SerialDriver::port`].
    async fn port(&self) -> Port {
        self.wrapped().port().await
    }

    /// As [`SerialDriver::set_lines`].
    ///
    /// # Errors
    /// Those of the device.
    async fn set_lines(&self, lines: ControlLines) -> Result<bool> {
        self.wrapped().set_lines(lines).await
    }
}

#[async_trait]
impl<W: SerialWrapper> SerialDriver for Wrapped<W> {
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        self.0.open().await
    }

    async fn watch(&self) -> Result<Option<Box<dyn AsyncRead + Send + Unpin>>> {
        self.0.watch().await
    }

    async fn port(&self) -> Port {
        self.0.port().await
    }

    async fn set_lines(&self, lines: ControlLines) -> Result<bool> {
        self.0.set_lines(lines).await
    }
}
