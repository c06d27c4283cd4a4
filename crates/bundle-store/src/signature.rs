//! Signatures in cosign's layout: a signed statement about a manifest's digest, in the same repository.
//!
//! The statement (cosign's `SIGNATURE_SPEC.md`, "simple signing") is the content of a layer, its signature an annotation
//! of that layer. The manifest with such layers is tagged `sha256-HEX.sig`, or refers to the signed one (OCI
//! distribution-spec, "Listing Referrers"). Checking needs the public key and no network.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::StreamExt;
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Digest, OciError, Reference, Registry, json_file,
    oci::{OciManifest, verified},
};

const LAYER_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const ANNOTATION: &str = "dev.cosignproject.cosign/signature";
const STATEMENT: &str = "cosign container image signature";
const LARGEST_STATEMENT: u64 = 1 << 20; // bytes
const MOST_SIGNATURES: usize = 100;

/// Key headers in DER (RFC 5480 for P-256, RFC 8410 for Ed25519); the key itself follows.
const P256: &[u8] = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
const ED: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// A public key that signs bundles: ECDSA P-256 (cosign's default) or Ed25519.
#[derive(Clone)]
pub struct PublicKey(UnparsedPublicKey<Vec<u8>>);

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PublicKey")
    }
}

impl PublicKey {
    /// Reads the PEM text of a key, as in `cosign.pub`. `origin` names it in messages.
    ///
    /// # Errors
    /// [`OciError::Key`].
    pub fn from_pem(text: &str, origin: &str) -> Result<PublicKey, OciError> {
        let refuse = |reason: &str| OciError::Key { origin: origin.into(), reason: reason.into() };
        let body = text.split_once("-----BEGIN PUBLIC KEY-----");
        let body = body.and_then(|(_, rest)| rest.split_once("-----END PUBLIC KEY-----"));
        let (body, _) = body.ok_or_else(|| refuse("no `BEGIN PUBLIC KEY` in it"))?;
        let digits: String = body.split_whitespace().collect();
        let der = STANDARD.decode(digits).map_err(|_| refuse("it is not base64"))?;
        let known: [(&[u8], &'static dyn VerificationAlgorithm, usize); 2] =
            [(P256, &ECDSA_P256_SHA256_ASN1, 65), (ED, &ED25519, 32)];
        for (header, algorithm, length) in known {
            if let Some(key) = der.strip_prefix(header).filter(|key| key.len() == length) {
                return Ok(PublicKey(UnparsedPublicKey::new(algorithm, key.to_owned())));
            }
        }
        Err(refuse("another kind of key"))
    }

    /// Reads the key in `path`.
    ///
    /// # Errors
    /// [`OciError::Storage`], [`OciError::Key`].
    pub fn load(path: &Path) -> Result<PublicKey, OciError> {
        let text = fs::read_to_string(path).map_err(OciError::storage("read the key", path))?;
        PublicKey::from_pem(&text, &path.display().to_string())
    }
}

/// A statement and its signature, not yet judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signed {
    statement: String,
    signature: String,
}

impl Signed {
    /// Whether `key` says that `digest` is good.
    pub(crate) fn verify(&self, digest: Digest, key: &PublicKey) -> Result<(), String> {
        let signature = STANDARD.decode(self.signature.trim()).map_err(|_| "a signature is not base64")?;
        key.0
            .verify(self.statement.as_bytes(), &signature)
            .map_err(|_| "it was made by another key, or for another text")?;
        let statement: Value =
            serde_json::from_str(&self.statement).map_err(|_| "the statement is not JSON")?;
        let critical = &statement["critical"];
        if critical["type"] != STATEMENT {
            return Err("the statement is not about an artifact".into());
        }
        let about = &critical["image"]["docker-manifest-digest"];
        match about.as_str().and_then(|text| text.parse::<Digest>().ok()) {
            Some(found) if found == digest => Ok(()),
            Some(found) => Err(format!("the statement is about {}", found.prefixed())),
            None => Err("the statement names no digest".into()),
        }
    }
}

/// The signatures that were kept; none when there is no such file.
pub(crate) fn load(path: &Path) -> Vec<Signed> {
    fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Keeps signatures for a day without the registry.
pub(crate) fn keep(path: &Path, found: &[Signed]) -> Result<(), OciError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(OciError::storage("create the folder", folder))?;
    json_file::write(path, folder, &found)
}

/// Fine when one signature is by the key.
pub(crate) fn judge(
    found: &[Signed],
    reference: &Reference,
    digest: Digest,
    key: &PublicKey,
) -> Result<(), OciError> {
    let reference = reference.to_string();
    let mut reasons = Vec::new();
    for signed in found {
        match signed.verify(digest, key) {
            Ok(()) => return Ok(()),
            Err(reason) => reasons.push(reason),
        }
    }
    match reasons.is_empty() {
        true => Err(OciError::Unsigned { reference, digest }),
        false => Err(OciError::BadSignature { reference, digest, reason: reasons.join("; ") }),
    }
}

/// The signatures in the registry: those under the tag, else those that refer to the manifest.
pub(crate) async fn fetch(registry: &Registry, digest: Digest) -> Result<Vec<Signed>, OciError> {
    let tagged = registry.tagged(&format!("sha256-{digest}.sig"));
    let mut found = match tagged.manifest().await {
        Ok(manifest) => read(&tagged, &manifest).await?,
        Err(OciError::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    if found.is_empty() {
        for referrer in registry.referrers().await? {
            let other = registry.at(referrer);
            let manifest = other.manifest().await?;
            found.extend(read(&other, &manifest).await?);
        }
    }
    Ok(found)
}

async fn read(registry: &Registry, manifest: &OciManifest) -> Result<Vec<Signed>, OciError> {
    let registry = std::sync::Arc::new(registry.clone());
    let signatures = manifest.layers.iter().filter(|layer| layer.media_type == LAYER_TYPE);
    let mut found = Vec::new();
    for layer in signatures.filter(|layer| layer.size <= LARGEST_STATEMENT).take(MOST_SIGNATURES) {
        let Some(signature) = layer.annotations.get(ANNOTATION) else { continue };
        let mut bytes = Vec::new();
        let mut stream = verified(&registry, layer);
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece?);
        }
        let Ok(statement) = String::from_utf8(bytes) else { continue };
        found.push(Signed { statement, signature: signature.clone() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
