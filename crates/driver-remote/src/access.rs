//! Where an exporter is, and how it lets us in.

use std::path::PathBuf;
use std::sync::Arc;

use exporter_wire::passphrase::Passphrase;
use exporter_wire::tls;
use flasher_core::{Class, Error, Result, async_trait};
use tokio::io::DuplexStream;

/// A way to an exporter that has no address: through the router of a lab, for example.
#[async_trait]
pub trait Tunnel: std::fmt::Debug + Send + Sync {
    /// What messages call the exporter.
    fn exporter(&self) -> &str;

    /// The bytes of a new connection, which is spoken to as one to a socket of the exporter.
    ///
    /// # Errors
    /// When there is no way to it now, with what to do.
    async fn connect(&self) -> Result<DuplexStream>;
}

/// Where an exporter is, and how it lets us in. Files are read when a connection is made.
#[derive(Clone, Debug)]
pub struct RemoteAccess {
    /// `HOST:PORT`, or `unix:PATH` for a socket of this machine; with a tunnel, what messages call the exporter.
    pub address: String,
    /// File with the exporter's passphrase; none for one without.
    pub passphrase_file: Option<PathBuf>,
    /// PEM file with the CA of the exporter's certificate; none for one that is not spoken to over TLS.
    pub ca_file: Option<PathBuf>,
    /// The way to it, when it has no address.
    pub tunnel: Option<Arc<dyn Tunnel>>,
}

impl RemoteAccess {
    /// An exporter that takes everybody, without TLS.
    pub fn open(address: impl Into<String>) -> Self {
        Self { address: address.into(), passphrase_file: None, ca_file: None, tunnel: None }
    }

    /// An exporter at the other end of a tunnel.
    pub fn through(tunnel: Arc<dyn Tunnel>) -> Self {
        Self { tunnel: Some(Arc::clone(&tunnel)), ..Self::open(tunnel.exporter()) }
    }

    /// Looks at the files, and at nothing else.
    pub(crate) async fn check_files(&self) -> Result<()> {
        self.passphrase().await?;
        let Some(file) = self.ca_file.clone() else { return Ok(()) };
        blocking(move || tls::connector(&file).map(drop)).await
    }

    /// The passphrase out of its file.
    pub(crate) async fn passphrase(&self) -> Result<Option<Passphrase>> {
        let Some(file) = self.passphrase_file.clone() else { return Ok(None) };
        blocking(move || Passphrase::read(&file)).await.map(Some)
    }
}

async fn blocking<T: Send + 'static>(read: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| {
        Err(Error::new(Class::Internal, "a worker thread ended unexpectedly").because(error))
    })
}
