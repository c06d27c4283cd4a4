//! The key that signs: P-256 or Ed25519, out of a PEM file.

use std::fmt;

use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::pkcs8::spki::EncodePublicKey;
use flasher_core::{Class, Error, Result};
use p256::ecdsa::signature::Signer;
use sha2::{Digest, Sha256};

/// A private key. It is shown nowhere.
pub struct SigningKey {
    secret: PrivateKey,
    id: String,
}

enum PrivateKey {
    P256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The key of a PEM text: `PRIVATE KEY` (PKCS#8) of P-256 or Ed25519, or `EC PRIVATE KEY` (SEC1) of P-256, without a
    /// passphrase.
    ///
    /// # Errors
    /// Class config, without a word of the key.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let label = pem.lines().find_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
        let secret = match pem
            .lines()
            .filter_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
            .find(|label| label.contains("PRIVATE KEY"))
        {
            Some("PRIVATE KEY") => pkcs8(pem),
            Some("EC PRIVATE KEY") => sec1(pem),
            Some(encrypted) if encrypted.starts_with("ENCRYPTED ") => {
                return Err(refused(&format!("it is encrypted (`{encrypted}`)"))
                    .help("sign with a key that has no passphrase, in a file that only its user can read"));
            }
            Some(other) => return Err(refused(&format!("it is a `{other}`"))),
            None => {
                let what =
                    label.map_or_else(|| "it is no PEM".to_owned(), |label| format!("it is a `{label}`"));
                return Err(refused(&what));
            }
        };
        let secret = secret.ok_or_else(|| refused("it is damaged, or of another kind"))?;
        let id = id(&secret).ok_or_else(|| refused("its public key cannot be told"))?;
        Ok(Self { secret, id })
    }

    /// SHA-256 of the public key (DER) in hex. It only helps to find the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The signature over `bytes`: for P-256 that of their SHA-256, as DER.
    ///
    /// # Errors
    /// Class internal when none can be made.
    pub(super) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let failed = |error: p256::ecdsa::Error| {
            Error::new(Class::Internal, "the statement could not be signed").because(error)
        };
        match &self.secret {
            PrivateKey::P256(key) => {
                let signature: p256::ecdsa::Signature = key.try_sign(bytes).map_err(failed)?;
                Ok(signature.to_der().as_bytes().to_vec())
            }
            PrivateKey::Ed25519(key) => {
                let signature: ed25519_dalek::Signature = key.try_sign(bytes).map_err(failed)?;
                Ok(signature.to_bytes().to_vec())
            }
        }
    }
}

fn pkcs8(pem: &str) -> Option<PrivateKey> {
    let ed25519 = ed25519_dalek::SigningKey::from_pkcs8_pem(pem).ok().map(PrivateKey::Ed25519);
    ed25519.or_else(|| Some(PrivateKey::P256(p256::SecretKey::from_pkcs8_pem(pem).ok()?.into())))
}

/// openssl puts the parameters of the curve before the key.
fn sec1(pem: &str) -> Option<PrivateKey> {
    let begin = pem.find("-----BEGIN EC PRIVATE KEY-----")?;
    Some(PrivateKey::P256(p256::SecretKey::from_sec1_pem(&pem[begin..]).ok()?.into()))
}

fn id(secret: &PrivateKey) -> Option<String> {
    let public = match secret {
        PrivateKey::P256(key) => key.verifying_key().to_public_key_der(),
        PrivateKey::Ed25519(key) => key.verifying_key().to_public_key_der(),
    };
    let digest = Sha256::digest(public.ok()?.as_bytes());
    Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn refused(why: &str) -> Error {
    Error::config(format!("this key cannot sign: {why}"))
        .help("give a PEM file with a private key of P-256 or Ed25519: `openssl genpkey -algorithm ed25519 -out key.pem`")
}
