//! The connection to an exporter, plain or over TLS.

use std::path::Path;
use std::time::Duration;

use flasher_core::{Error, Result};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint, Uri};

const CONNECT: Duration = Duration::from_secs(15);

/// Connects to `HOST:PORT`; with `ca`, over TLS with a certificate that the CA signed.
pub(super) async fn channel(address: &str, ca: Option<&Path>) -> Result<Channel> {
    let uri = format!("http://{address}");
    let endpoint = Endpoint::from_shared(uri).map_err(|error| {
        Error::config(format!("`{address}` is no address of an exporter"))
            .help("give HOST:PORT")
            .because(error)
    })?;
    let endpoint = endpoint
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20))
        .tcp_nodelay(true);
    let connected = match ca.map(crate::tls::connector).transpose()? {
        None => endpoint.connect().await,
        Some(tls) => {
            let connect = tower::service_fn(move |uri: Uri| {
                let tls = tls.clone();
                async move { secured(&tls, &uri).await }
            });
            endpoint.connect_with_connector(connect).await
        }
    };
    connected.map_err(|error| {
        Error::infrastructure(format!("no exporter answers at {address}"))
            .help("check the address, whether `flasher serve` runs there, and whether it wants TLS (`--remote-cacert`)")
            .because(error)
    })
}

async fn secured(
    tls: &tokio_rustls::TlsConnector,
    uri: &Uri,
) -> std::io::Result<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(443))).await?;
    stream.set_nodelay(true)?;
    let name = rustls::pki_types::ServerName::try_from(host).map_err(std::io::Error::other)?;
    Ok(TokioIo::new(tls.connect(name, stream).await?))
}
