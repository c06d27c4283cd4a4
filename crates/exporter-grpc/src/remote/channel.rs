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
    connected.map_err(|error| match tls_in(&error) {
        Some(tls) => untrusted(address, tls),
        None => Error::infrastructure(format!("no exporter answers at {address}"))
            .help("check the address, whether `flasher serve` runs there, and whether it wants TLS (`--remote-cacert`)")
            .because(error),
    })
}

/// A failure of TLS, which another try does not mend.
fn untrusted(address: &str, tls: &rustls::Error) -> Error {
    let help = match tls {
        rustls::Error::InvalidCertificate(_) => {
            "give the certificate that it was started with (`--cert`), or that of the authority that signed it, with `--remote-cacert`; one that may sign others cannot be the exporter's own, and the name in the address must be one of its names"
        }
        _ => {
            "check whether the exporter there speaks TLS: without `--cert` it does not, and needs no `--remote-cacert`"
        }
    };
    Error::infrastructure(format!("the exporter at {address} cannot be trusted: {tls}"))
        .help(help)
        .retryable(false)
}

/// The error of TLS behind `error`. One of the system may hold it, and does not give it as its source.
fn tls_in<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.filter_map(|cause| innermost(cause).downcast_ref::<rustls::Error>()).next()
}

fn innermost<'e>(mut error: &'e (dyn std::error::Error + 'static)) -> &'e (dyn std::error::Error + 'static) {
    while let Some(held) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        error = held;
    }
    error
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
