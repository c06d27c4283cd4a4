//! Sources behind TLS: whom to trust is the caller's decision.

use std::sync::{Arc, Mutex};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::server::{Reply, converse};
use super::*;
use crate::Blame;

#[tokio::test]
async fn a_certificate_is_trusted_when_the_caller_says_so() {
    let (url, pem) = serve().await;
    let trusted = SourceOptions { cacert: Some(pem.path().into()), ..SourceOptions::default() };
    assert_eq!(decode(&url, trusted).await.unwrap().bytes(), b"image");
    let insecure = SourceOptions { insecure: true, ..SourceOptions::default() };
    assert_eq!(decode(&url, insecure).await.unwrap().bytes(), b"image");
    let error = decode(&url, SourceOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Untrusted { .. }), "{error}");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    assert_eq!(blame_of(&error), Blame::LASTING, "asking again gives the same certificate");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_apart_from_none() {
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await; // the client may be gone
        }
    });
    let url = format!("https://{address}/os.img");
    let error = decode(&url, SourceOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::NoTls { .. }), "{error}");
    assert!(error.to_string().contains("is its URL `http://`?"), "{error}");
    assert_eq!(blame_of(&error), Blame::LASTING);
}

#[tokio::test]
async fn a_file_without_certificates_is_refused() {
    let file = file_of(b"no certificate");
    for (path, reason) in [
        (file.path().to_owned(), "it holds no certificate"),
        (file.path().join("none"), "Not a directory (os error 20)"),
    ] {
        let shown = path.display().to_string();
        let options = SourceOptions { cacert: Some(path), ..SourceOptions::default() };
        let error = Image::open("https://127.0.0.1:9/x", options).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "certificates `{shown}` for image `https://127.0.0.1:9/x` cannot be used: {reason}; expected a PEM file"
            )
        );
        assert_eq!(blame_of(&error), Blame::CONFIG);
    }
}

/// A TLS server with a certificate of its own making. Gives a URL and the certificate as a PEM file.
async fn serve() -> (String, tempfile::NamedTempFile) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/os.img", listener.local_addr().unwrap().port());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        let log = Mutex::default();
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust us ends the handshake.
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            converse(stream, &log, &|_, _: &str| Reply::ok(b"image"), false).await;
        }
    });
    (url, file_of(cert.pem().as_bytes()))
}
