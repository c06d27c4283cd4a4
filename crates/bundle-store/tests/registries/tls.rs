//! A registry with a certificate of the lab's own authority, and one that was expected to have none.

use std::{fs, net::UdpSocket};

use bundle_store::{Access, Blamed, OciError, Reference, Store, Wanted, push};

use crate::{
    cache::{bundle, files},
    docker::DockerRegistry,
};

/// An address of this machine that is no loopback address: a loopback registry is spoken to in plain HTTP.
fn own_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").ok()?; // sends nothing
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then(|| address.to_string())
}

#[tokio::test]
async fn https_needs_the_authority_and_plain_http_needs_the_config() {
    let Some(address) = own_address() else {
        return println!("skipped: this machine has no address but loopback");
    };
    let home = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(vec![address.clone()]).unwrap();
    let (certificate, key) = (home.path().join("ca.pem"), home.path().join("key.pem"));
    fs::write(&certificate, certified.cert.pem()).unwrap();
    fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let tls = format!(", tls: {{ certificate: {}, key: {} }}", certificate.display(), key.display());
    let Some(registry) = DockerRegistry::serve(&format!("{address}:0"), &tls) else { return };
    let source = bundle("k");
    let name: Reference = registry.name("acme/bundle:v1").parse().unwrap();

    let stranger = push(source.path(), &name, &Access::default()).await.unwrap_err().to_string();
    assert!(
        stranger.contains("cannot be used over https: invalid peer certificate: UnknownIssuer"),
        "{stranger}"
    );
    let trusting = Access { cacert: Some(certificate), ..Access::default() };
    let pushed = push(source.path(), &name, &trusting).await.unwrap();
    let store = Store::new(home.path().join("cache"), trusting);
    let cached = store.get(&Wanted { reference: &name, locked: None, key: None }).await.unwrap();
    assert_eq!((cached.digest, files(&cached.dir)), (pushed.digest, files(source.path())));

    let Some(plain) = DockerRegistry::serve(&format!("{address}:0"), "") else { return };
    let name: Reference = plain.name("acme/bundle:v1").parse().unwrap();
    let refused = push(source.path(), &name, &Access::default()).await.unwrap_err();
    assert!(matches!(refused, OciError::Untrusted { .. }) && !refused.blame().is_retryable, "{refused}");
    assert!(refused.is_offline(), "a pinned copy may stand in: {refused}");
    let allowed = Access { plain_http: vec![plain.address.clone()], ..Access::default() };
    push(source.path(), &name, &allowed).await.unwrap();
}
