//! Failures of TLS that no second try mends: a certificate that is not trusted, a server that speaks something else.

use std::error::Error as StdError;
use std::io;

use rustls::Error as Tls;

/// What is wrong.
pub(super) enum CertificateFault {
    /// With the server's certificate, or with ours.
    Certificate(String),
    /// With what it speaks.
    Protocol(String),
}

/// What is wrong with TLS, if that is why a request failed.
pub(super) fn of(error: &reqwest::Error) -> Option<CertificateFault> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(tls) = tls_in(error) {
            return kind(tls);
        }
        cause = error.source();
    }
    None
}

/// An error of the system may hold one of TLS, and does not give it as its source.
fn tls_in<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Tls> {
    let mut error = error;
    while let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        error = inner;
    }
    error.downcast_ref::<Tls>()
}

fn kind(tls: &Tls) -> Option<CertificateFault> {
    match tls {
        Tls::InvalidCertificate(_) | Tls::InvalidCertRevocationList(_) | Tls::NoCertificatesPresented => {
            Some(CertificateFault::Certificate(tls.to_string()))
        }
        Tls::InvalidMessage(_) => Some(CertificateFault::Protocol(format!("{tls}; is its URL `http://`?"))),
        Tls::PeerIncompatible(_) | Tls::PeerMisbehaved(_) | Tls::AlertReceived(_) => {
            Some(CertificateFault::Protocol(tls.to_string()))
        }
        _ => None,
    }
}
