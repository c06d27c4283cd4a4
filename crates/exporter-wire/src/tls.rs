//! TLS of an exporter's own, and what its clients trust.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use flasher_core::{Error, Result};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tonic::codegen::http::Uri;

use crate::unverified::Unverified;

/// Largest PEM file, bytes.
const LARGEST: u64 = 1024 * 1024;

/// A certificate with its private key, as PEM files have them. The key is never printed.
#[derive(Clone)]
pub struct Certificate {
    config: Arc<ServerConfig>,
    /// What clients see of it.
    own: Arc<CertificateDer<'static>>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate(_)")
    }
}

impl Certificate {
    /// Reads a certificate chain and its private key.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else, or the two do not belong together.
    pub fn read(chain: &Path, key: &Path) -> Result<Self> {
        let name = chain.display();
        let certificates = certificates(chain)?;
        let own = Arc::new(certificates[0].clone());
        let malformed = |error: rustls::pki_types::pem::Error| {
            Error::config(format!("`{}` holds no private key", key.display()))
                .help("give the key as PEM, without a password")
                .because(error)
        };
        let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(malformed)?;
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let config =
            builder.and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, private));
        let mut config = config.map_err(|error| {
            Error::config(format!("`{name}` and `{}` are no certificate and its key", key.display()))
                .because(error)
        })?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { config: Arc::new(config), own })
    }

    /// Whether it proves that this machine is called `name`.
    pub fn is_for(&self, name: &str) -> bool {
        let parsed = ParsedCertificate::try_from(&*self.own);
        let (Ok(parsed), Ok(name)) = (parsed, ServerName::try_from(name)) else { return false };
        rustls::client::verify_server_name(&parsed, &name).is_ok()
    }

    /// What takes TLS connections of browsers with it: HTTP/2 and HTTP/1.1.
    pub fn http_acceptor(&self) -> TlsAcceptor {
        let mut config = (*self.config).clone();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// What takes TLS connections of clients with it: HTTP/2.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

/// Whose certificates a client trusts.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those that this PEM holds or that its authorities signed. The text says where it is from.
    Authority(Vec<u8>, String),
    /// Those that the system trusts.
    System,
    /// All: what is sent is encrypted, and who receives it is not known.
    Anyone,
}

/// A connector that trusts the certificates of a file and nothing else.
///
/// # Errors
/// When the file cannot be read or holds something else.
pub fn connector(ca: &Path) -> Result<TlsConnector> {
    connector_of(&Trust::Authority(read(ca)?, ca.display().to_string()))
}

/// A connector for HTTP/2.
///
/// # Errors
/// When what is to be trusted holds no certificate.
pub fn connector_of(trust: &Trust) -> Result<TlsConnector> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Error::config("no TLS versions in common").because(error))?;
    let mut config = match trust {
        Trust::Anyone => {
            let verifier = Arc::new(Unverified::new(provider()));
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
        trust => builder.with_root_certificates(roots(trust)?).with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(trust: &Trust) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Trust::Authority(pem, name) = trust {
        for certificate in parsed(pem, name)? {
            let wrong = |error| Error::config(format!("`{name}` cannot be trusted")).because(error);
            roots.add(certificate).map_err(wrong)?;
        }
    } else {
        // What the system has and rustls cannot read, signs nothing that rustls could check.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(roots)
}

/// Connects over TLS to the host of `uri`, whose certificate must be for its name.
///
/// # Errors
/// When the host does not answer, or is not trusted ([`tls_in`] finds why).
pub async fn secured(tls: &TlsConnector, uri: &Uri) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(443))).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    Ok(TokioIo::new(tls.connect(name, stream).await?))
}

/// The error of TLS behind `error`. One of the system may hold it, and does not give it as its source.
pub fn tls_in<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.filter_map(|cause| innermost(cause).downcast_ref::<rustls::Error>()).next()
}

fn innermost<'e>(mut error: &'e (dyn std::error::Error + 'static)) -> &'e (dyn std::error::Error + 'static) {
    while let Some(held) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        error = held;
    }
    error
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    parsed(&read(file)?, &file.display().to_string())
}

fn parsed(pem: &[u8], name: &str) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<std::result::Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(Error::config(format!("`{name}` holds no certificate")).help("give it as PEM")),
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let unreadable = |error| Error::config(format!("cannot read `{}`", file.display())).because(error);
    let mut text = Vec::new();
    File::open(file).and_then(|file| file.take(LARGEST).read_to_end(&mut text)).map_err(unreadable)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_or_no_key_is_named() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = place.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let cert = write("cert.pem", &pair.cert.pem());
        let key = write("key.pem", &pair.signing_key.serialize_pem());
        let junk = write("junk.pem", "junk");
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = write("other.pem", &other.signing_key.serialize_pem());
        Certificate::read(&cert, &key).unwrap();
        connector(&cert).unwrap();
        let text = |error: Error| error.to_string().replace(&place.path().display().to_string(), "");
        assert_eq!(text(Certificate::read(&junk, &key).unwrap_err()), "`/junk.pem` holds no certificate");
        assert_eq!(text(Certificate::read(&cert, &junk).unwrap_err()), "`/junk.pem` holds no private key");
        let mixed = Certificate::read(&cert, &other).unwrap_err();
        assert_eq!(text(mixed), "`/cert.pem` and `/other.pem` are no certificate and its key");
        let missing = Certificate::read(&place.path().join("missing"), &key).unwrap_err();
        assert_eq!(text(missing), "cannot read `/missing`");
    }
}
