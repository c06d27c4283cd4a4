//! The connection to an exporter, plain or over TLS.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use exporter_wire::tls::{secured, tls_in};
use flasher_core::{Error, Result};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::access::Tunnel;

/// Bound on making a connection.
const CONNECT: Duration = Duration::from_secs(15);
/// How often the other end is asked whether it is still there, and how long it has to answer.
const ALIVE: Duration = Duration::from_secs(20);

/// How the address of a unix socket begins.
const UNIX: &str = "unix:";

/// Connects to `HOST:PORT` or `unix:PATH`; with `ca`, over TLS with a certificate that the CA signed.
pub(super) async fn channel(address: &str, ca: Option<&Path>) -> Result<Channel> {
    if let Some(path) = address.strip_prefix(UNIX) {
        return local(PathBuf::from(path), ca).await;
    }
    let uri = format!("http://{address}");
    let endpoint = Endpoint::from_shared(uri).map_err(|error| {
        Error::config(format!("`{address}` is no address of an exporter"))
            .help("give HOST:PORT")
            .because(error)
    })?;
    let endpoint = endpoint
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(ALIVE)
        .keep_alive_timeout(ALIVE)
        .tcp_nodelay(true);
    let connected = match ca.map(exporter_wire::tls::connector).transpose()? {
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
            .help("check the address, whether `flasher serve` runs there, and whether it wants TLS (`--remote-cacert`, in a YAML `ca_file`)")
            .because(error),
    })
}

/// Connects to a socket of this machine.
async fn local(path: PathBuf, ca: Option<&Path>) -> Result<Channel> {
    if ca.is_some() {
        return Err(Error::config("a unix socket is not spoken to over TLS").help("leave the CA out"));
    }
    let shown = path.display().to_string();
    let connect = tower::service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    // The name is only sent along: the socket is the address.
    let endpoint = Endpoint::from_static("http://localhost").connect_timeout(CONNECT);
    endpoint.connect_with_connector(connect).await.map_err(|error| {
        Error::infrastructure(format!("no exporter answers at `{shown}`"))
            .help("check whether an exporter runs there")
            .because(error)
    })
}

/// Connects through a tunnel, and again through it when the connection has ended.
pub(super) async fn through(tunnel: &Arc<dyn Tunnel>) -> Result<Channel> {
    let why: Arc<Mutex<Option<Error>>> = Arc::default();
    let (way, kept) = (Arc::clone(tunnel), Arc::clone(&why));
    let connect = tower::service_fn(move |_: Uri| {
        let (way, kept) = (Arc::clone(&way), Arc::clone(&kept));
        async move {
            way.connect().await.map(TokioIo::new).map_err(|error| {
                let text = error.cause();
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                std::io::Error::other(text)
            })
        }
    });
    // The name is only sent along: the tunnel knows the way, and how long it may take.
    let endpoint = Endpoint::from_static("http://localhost");
    let endpoint = endpoint.http2_keep_alive_interval(ALIVE).keep_alive_timeout(ALIVE);
    endpoint.connect_with_connector(connect).await.map_err(|error| {
        let why = why.lock().unwrap_or_else(PoisonError::into_inner).take();
        why.unwrap_or_else(|| {
            Error::infrastructure(format!("the exporter `{}` does not answer", tunnel.exporter()))
                .because(error)
        })
    })
}

/// A failure of TLS, which another try does not mend.
fn untrusted(address: &str, tls: &rustls::Error) -> Error {
    let help = match tls {
        rustls::Error::InvalidCertificate(_) => {
            "give the certificate that it was started with (`--cert`), or that of the authority that signed it, with `--remote-cacert`, in a YAML `ca_file`; one that may sign others cannot be the exporter's own, and the name in the address must be one of its names"
        }
        _ => {
            "check whether the exporter there speaks TLS: without `--cert` it does not, and needs no `--remote-cacert` or `ca_file`"
        }
    };
    Error::infrastructure(format!("the exporter at {address} cannot be trusted: {tls}"))
        .help(help)
        .retryable(false)
}

#[cfg(test)]
mod tests {
    use flasher_core::Class;
    use tokio::net::TcpListener;

    use super::*;
    use exporter_wire::tls::Certificate;

    /// A folder with a certificate for `name` and its key.
    fn certificate(name: &str) -> (tempfile::TempDir, PathBuf, Certificate) {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let pair = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        std::fs::write(&cert, pair.cert.pem()).unwrap();
        std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        let certificate = Certificate::read(&cert, &key).unwrap();
        (folder, cert, certificate)
    }

    /// A port where every connection is accepted, over TLS when there is a certificate, and kept open.
    async fn server(certificate: Option<Certificate>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let certificate = certificate.clone();
                tokio::spawn(async move {
                    match certificate {
                        Some(certificate) => {
                            if let Ok(secured) = certificate.acceptor().accept(stream).await {
                                std::future::pending::<()>().await;
                                drop(secured);
                            }
                        }
                        // What a server without TLS says to a client that begins it.
                        None => drop(tokio::io::AsyncWriteExt::write_all(&mut stream, &[0; 64]).await),
                    }
                });
            }
        });
        port
    }

    #[tokio::test]
    async fn every_fault_of_a_certificate_names_itself() {
        let (folder, cert, own) = certificate("localhost");
        let (_other_folder, other, _) = certificate("localhost");
        let (_named_folder, elsewhere, of_elsewhere) = certificate("elsewhere.example");
        let (missing, junk) = (folder.path().join("missing"), folder.path().join("junk"));
        std::fs::write(&junk, "junk").unwrap();
        let (secure, misnamed, plain) =
            (server(Some(own)).await, server(Some(of_elsewhere)).await, server(None).await);
        let check = async |port: u16, ca: &PathBuf, expected: Result<(), (Class, &str, &str)>| {
            let address = format!("localhost:{port}");
            let found = channel(&address, Some(ca)).await.map(drop);
            let found = found.map_err(|error| {
                let text = error.to_string().replace(&address, "ADDRESS");
                let text = text.replace(&folder.path().display().to_string(), "");
                (error.class(), text, error.next_step().unwrap_or_default().to_owned())
            });
            match (found, expected) {
                (Ok(()), Ok(())) => {}
                (Err((class, text, help)), Err((expected_class, expected, next))) => {
                    assert_eq!((class, text.as_str()), (expected_class, expected));
                    assert!(help.contains(next), "{expected}: {help}");
                }
                (found, expected) => panic!("{found:?}, expected {expected:?}"),
            }
        };
        check(secure, &cert, Ok(())).await;
        check(secure, &missing, Err((Class::Config, "cannot read `/missing`", ""))).await;
        check(secure, &junk, Err((Class::Config, "`/junk` holds no certificate", "give it as PEM"))).await;
        let start = "the exporter at ADDRESS cannot be trusted: ";
        let unknown = format!("{start}invalid peer certificate: BadSignature");
        check(secure, &other, Err((Class::Infrastructure, &unknown, "with `--remote-cacert`"))).await;
        let name = format!(
            "{start}invalid peer certificate: certificate not valid for name \"localhost\"; certificate is only valid for DnsName(\"elsewhere.example\")"
        );
        check(misnamed, &elsewhere, Err((Class::Infrastructure, &name, "one of its names"))).await;
        let corrupt = format!("{start}received corrupt message of type InvalidContentType");
        check(plain, &cert, Err((Class::Infrastructure, &corrupt, "without `--cert` it does not"))).await;
    }
}
