//! Types around a file server.

use std::net::SocketAddr;
use std::path::PathBuf;

use async_trait::async_trait;

use super::{Wrapped, Wrapper};
use crate::driver::{Content, ContentServer, FileServer, TransferLog, Upload};
use crate::error::Result;

/// A type around a file server.
#[async_trait]
pub trait FileServerWrapper: Wrapper<Device: FileServer> {
    /// As [`FileServer::start`].
    ///
    /// # Errors
    /// Those of the device.
    async fn start(&self, log: TransferLog) -> Result<SocketAddr> {
        self.wrapped().start(log).await
    }

    /// As [`FileServer::stop`].
    ///
    /// # Errors
    /// Those of the device.
    async fn stop(&self) -> Result<()> {
        self.wrapped().stop().await
    }

    /// As [`FileServer::address`].
    fn address(&self) -> Option<SocketAddr> {
        self.wrapped().address()
    }

    /// As [`FileServer::fixed_address`].
    fn fixed_address(&self) -> Option<(String, u16)> {
        self.wrapped().fixed_address()
    }

    /// As [`FileServer::root`].
    fn root(&self) -> PathBuf {
        self.wrapped().root()
    }

    /// As [`FileServer::removes_created`].
    fn removes_created(&self) -> bool {
        self.wrapped().removes_created()
    }

    /// As [`FileServer::accept`].
    ///
    /// # Errors
    /// Those of the device.
    fn accept(&self, path: &str, upload: Upload) -> Result<()> {
        self.wrapped().accept(path, upload)
    }

    /// As [`FileServer::withdraw`].
    fn withdraw(&self, path: &str) {
        self.wrapped().withdraw(path);
    }
}

#[async_trait]
impl<W: FileServerWrapper> FileServer for Wrapped<W> {
    async fn start(&self, log: TransferLog) -> Result<SocketAddr> {
        self.0.start(log).await
    }

    async fn stop(&self) -> Result<()> {
        self.0.stop().await
    }

    fn address(&self) -> Option<SocketAddr> {
        self.0.address()
    }

    fn fixed_address(&self) -> Option<(String, u16)> {
        self.0.fixed_address()
    }

    fn root(&self) -> PathBuf {
        self.0.root()
    }

    fn removes_created(&self) -> bool {
        self.0.removes_created()
    }

    fn accept(&self, path: &str, upload: Upload) -> Result<()> {
        self.0.accept(path, upload)
    }

    fn withdraw(&self, path: &str) {
        self.0.withdraw(path);
    }
}

/// A type around a content server.
pub trait ContentServerWrapper: FileServerWrapper + Wrapper<Device: ContentServer> {
    /// As [`ContentServer::publish`].
    ///
    /// # Errors
    /// Those of the device.
    fn publish(&self, path: &str, content: Content) -> Result<()> {
        self.wrapped().publish(path, content)
    }
}

impl<W: ContentServerWrapper> ContentServer for Wrapped<W> {
    fn publish(&self, path: &str, content: Content) -> Result<()> {
        self.0.publish(path, content)
    }
}
