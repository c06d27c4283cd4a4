//! The certificate https is served with: the user's, or one made for this start.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsConfig;
use crate::error::Error;

/// A certificate with its key, ready to serve with.
#[derive(Clone)]
pub struct Tls {
    pub(crate) acceptor: TlsAcceptor,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// The certificate the config names, or a new one for `host`.
    ///
    /// # Errors
    /// [`Error::Tls`] when a file cannot be read, or certificate and key do not belong together.
    pub(crate) async fn load(config: &TlsConfig, host: IpAddr) -> Result<Self, Error> {
        match (&config.certificate, &config.key) {
            (None, None) => Self::made_for(host),
            (Some(certificate), Some(key)) => {
                let read = |path: &std::path::Path| {
                    let path = path.to_owned();
                    async move {
                        let failed = |error| Error::Tls(format!("cannot read `{}`: {error}", path.display()));
                        tokio::fs::read(&path).await.map_err(failed)
                    }
                };
                Self::new(&read(certificate).await?, &read(key).await?)
            }
            _ => Err(Error::Tls("`certificate:` and `key:` go together, and one is missing".into())),
        }
    }

    /// A certificate and its key, both PEM.
    ///
    /// # Errors
    /// [`Error::Tls`] when they are no PEM, or do not belong together.
    pub fn new(certificate: &[u8], key: &[u8]) -> Result<Self, Error> {
        let wrong =
            |what: &str, error: &dyn fmt::Display| Error::Tls(format!("the {what} is no PEM: {error}"));
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.map_err(|error| wrong("certificate", &error))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| wrong("key", &error))?;
        Self::serving(chain, key)
    }

    /// A certificate that signs itself, for `host` (every name of this machine when it is the wildcard) and `localhost`.
    ///
    /// # Errors
    /// [`Error::Tls`] when no key can be made.
    pub fn made_for(host: IpAddr) -> Result<Self, Error> {
        let names = if host.is_unspecified() {
            vec!["localhost".to_owned()]
        } else {
            vec![host.to_string(), "localhost".to_owned()]
        };
        let made = rcgen::generate_simple_self_signed(names);
        let made = made.map_err(|error| Error::Tls(format!("cannot make a certificate: {error}")))?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let key = key.map_err(|error| Error::Tls(format!("cannot make a key: {error}")))?;
        Self::serving(vec![made.cert.der().clone()], key)
    }

    fn serving(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map(|builder| builder.with_no_client_auth())
            .and_then(|builder| builder.with_single_cert(chain, key));
        let config = config.map_err(|error| Error::Tls(error.to_string()))?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(certificate: &str, key: &str, says: &str) {
        let error = Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }

    #[tokio::test]
    async fn certificate_and_key_must_be_there_and_belong_together() {
        let one = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        assert!(Tls::new(one.cert.pem().as_bytes(), one.signing_key.serialize_pem().as_bytes()).is_ok());
        check(&one.cert.pem(), &other.signing_key.serialize_pem(), "cannot serve https: ");
        check(&one.cert.pem(), "no key", "cannot serve https: the key is no PEM");
        check("no certificate", &one.signing_key.serialize_pem(), "cannot serve https: ");
        let config = |certificate, key| TlsConfig { port: 0, certificate, key };
        let away = Some(std::path::PathBuf::from("/no/such/file"));
        let half = Tls::load(&config(away.clone(), None), [127, 0, 0, 1].into()).await.unwrap_err();
        assert!(half.to_string().contains("go together"), "{half}");
        let absent = Tls::load(&config(away.clone(), away), [127, 0, 0, 1].into()).await.unwrap_err();
        assert!(absent.to_string().contains("cannot read `/no/such/file`"), "{absent}");
    }
}
