//! Signed bundles: signed by `openssl` in cosign's layout, checked here without any other server than the registry.

use std::{fs, path::Path, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bundle_store::{Cached, Digest, OciError, PublicKey, Reference, Store, Wanted};
use serde_json::{Value, json};

use crate::{
    cache::{MANIFEST, store},
    faulty::{Answer, Faulty, manifest_of},
};

fn openssl(folder: &Path, arguments: &[&str]) -> bool {
    match Command::new("openssl").current_dir(folder).args(arguments).output() {
        Ok(output) => {
            assert!(output.status.success(), "{output:?}");
            true
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "openssl: {error}");
            println!("skipped: no `openssl` on this machine: apt-get install openssl");
            false
        }
    }
}

/// A key pair as `cosign generate-key-pair` makes one.
fn key(folder: &Path, name: &str) -> Option<PublicKey> {
    let (private, public) = (format!("{name}.key"), format!("{name}.pub"));
    let made = openssl(folder, &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &private])
        && openssl(folder, &["ec", "-in", &private, "-pubout", "-out", &public]);
    made.then(|| PublicKey::load(&folder.join(public)).unwrap())
}

/// The manifest of a signature over `digest`, with its blob in the registry.
fn signature(registry: &Faulty, folder: &Path, key: &str, digest: Digest) -> Value {
    let statement = json!({
        "critical": {
            "identity": { "docker-reference": "acme/bundle" },
            "image": { "docker-manifest-digest": digest.prefixed() },
            "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string();
    fs::write(folder.join("statement"), &statement).unwrap();
    openssl(folder, &["dgst", "-sha256", "-sign", &format!("{key}.key"), "-out", "signature", "statement"]);
    let mut layer = registry.layer("unused", statement.as_bytes());
    layer["mediaType"] = json!("application/vnd.dev.cosign.simplesigning.v1+json");
    let signature = STANDARD.encode(fs::read(folder.join("signature")).unwrap());
    layer["annotations"] = json!({ "dev.cosignproject.cosign/signature": signature });
    manifest_of(&[layer])
}

async fn get(store: &Store, registry: &Faulty, key: &PublicKey) -> Result<Cached, OciError> {
    let reference: Reference = registry.name().parse().unwrap();
    store.get(&Wanted { reference: &reference, locked: None, key: Some(key) }).await
}

#[tokio::test]
async fn only_signed_bundles_are_given() {
    let home = tempfile::tempdir().unwrap();
    let (Some(ours), Some(_)) = (key(home.path(), "ours"), key(home.path(), "other")) else { return };
    let registry = Faulty::start();
    let digest = registry.manifest(&manifest_of(&[registry.layer("manifest.yaml", MANIFEST.as_bytes())]));
    let store = store(home.path());
    let error = get(&store, &registry, &ours).await.unwrap_err().to_string();
    assert!(error.contains("has no signature, and `require_signature` is set"), "{error}");

    let tag = format!("manifests/sha256-{digest}.sig");
    let put = |manifest: &Value| registry.put(&tag, Answer::new(200, manifest.to_string()));
    put(&signature(&registry, home.path(), "other", digest));
    let error = get(&store, &registry, &ours).await.unwrap_err().to_string();
    assert!(error.contains("it was made by another key, or for another text"), "{error}");
    put(&signature(&registry, home.path(), "ours", Digest::of("another bundle")));
    let error = get(&store, &registry, &ours).await.unwrap_err().to_string();
    assert!(error.contains("the statement is about"), "{error}");

    put(&signature(&registry, home.path(), "ours", digest));
    get(&store, &registry, &ours).await.unwrap();
    registry.put(&tag, Answer::new(404, ""));
    let asked = registry.requests().len();
    get(&store, &registry, &ours).await.unwrap();
    assert_eq!(registry.requests().len(), asked + 1, "only for the tag, never again for the signature");
}

#[tokio::test]
async fn a_signature_is_also_found_among_the_referrers() {
    let home = tempfile::tempdir().unwrap();
    let Some(ours) = key(home.path(), "ours") else { return };
    let registry = Faulty::start();
    let digest = registry.manifest(&manifest_of(&[registry.layer("manifest.yaml", MANIFEST.as_bytes())]));
    let signed = signature(&registry, home.path(), "ours", digest).to_string();
    let referrer = Digest::of(&signed).prefixed();
    registry.put(&format!("manifests/{referrer}"), Answer::new(200, signed.clone()));
    let index = json!({ "schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": referrer, "size": signed.len(),
    }] });
    registry.put(&format!("referrers/{}", digest.prefixed()), Answer::new(200, index.to_string()));
    get(&store(home.path()), &registry, &ours).await.unwrap();
}
