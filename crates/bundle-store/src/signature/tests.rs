//! Which signatures count, and what is said of those that do not.

use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};

use super::*;

fn pem(header: &[u8], key: &[u8]) -> String {
    let body = STANDARD.encode([header, key].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

fn statement(digest: &str, kind: &str) -> String {
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"r/b"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"{kind}"}},"optional":null}}"#
    )
}

struct Signer {
    pair: EcdsaKeyPair,
    key: PublicKey,
}

impl Signer {
    fn new() -> Signer {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
        let key = PublicKey::from_pem(&pem(P256, pair.public_key().as_ref()), "cosign.pub").unwrap();
        Signer { pair, key }
    }

    fn sign(&self, statement: String) -> Signed {
        let signature = self.pair.sign(&SystemRandom::new(), statement.as_bytes()).unwrap();
        Signed { statement, signature: STANDARD.encode(signature) }
    }
}

#[test]
fn only_the_key_and_the_digest_count() {
    let (ours, other) = (Signer::new(), Signer::new());
    let (good, bad) = (Digest::of("good"), Digest::of("bad"));
    let about = |digest: Digest| statement(&digest.prefixed(), STATEMENT);
    let signed = ours.sign(about(good));
    assert_eq!(signed.verify(good, &ours.key), Ok(()));
    let about_bad = format!("the statement is about {}", bad.prefixed());
    let mut forged = signed.clone();
    forged.statement = about(bad);
    let mut garbled = signed.clone();
    garbled.signature = "*".into();
    let another = "it was made by another key, or for another text";
    let cases = [
        (signed, &other, another),
        (forged, &ours, another),
        (garbled, &ours, "a signature is not base64"),
        (ours.sign(about(bad)), &ours, &about_bad),
        (
            ours.sign(statement(&good.prefixed(), "something else")),
            &ours,
            "the statement is not about an artifact",
        ),
        (ours.sign(statement("sha256:12", STATEMENT)), &ours, "the statement names no digest"),
        (ours.sign("x".into()), &ours, "the statement is not JSON"),
    ];
    for (signed, signer, reason) in cases {
        assert_eq!(signed.verify(good, &signer.key), Err(reason.to_owned()));
    }
}

#[test]
fn an_ed25519_key_signs_too() {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let key = PublicKey::from_pem(&pem(ED, pair.public_key().as_ref()), "k").unwrap();
    let digest = Digest::of("good");
    let statement = statement(&digest.prefixed(), STATEMENT);
    let signature = STANDARD.encode(pair.sign(statement.as_bytes()));
    assert_eq!(Signed { statement, signature }.verify(digest, &key), Ok(()));
}

#[test]
fn what_is_no_key_is_named() {
    let rest = "expected PEM of an ECDSA P-256 or Ed25519 key, as `cosign generate-key-pair` writes";
    let cases = [
        ("", "no `BEGIN PUBLIC KEY` in it"),
        ("-----BEGIN PUBLIC KEY-----\n*\n-----END PUBLIC KEY-----", "it is not base64"),
        (&pem(P256, &[4; 64]), "another kind of key"),
        (&pem(b"\x30", &[4; 65]), "another kind of key"),
    ];
    for (text, reason) in cases {
        let error = PublicKey::from_pem(text, "cosign.pub").unwrap_err().to_string();
        assert_eq!(error, format!("`cosign.pub` is no public key: {reason}; {rest}"));
    }
}

#[test]
fn no_signature_and_a_wrong_one_are_two_things() {
    let (ours, other) = (Signer::new(), Signer::new());
    let reference: Reference = "quay.io/acme/b:v1".parse().unwrap();
    let digest = Digest::of("good");
    let unsigned = judge(&[], &reference, digest, &ours.key).unwrap_err().to_string();
    assert_eq!(
        unsigned,
        format!(
            "`quay.io/acme/b:v1` ({}) has no signature, and `require_signature` is set",
            digest.prefixed()
        )
    );
    let signed = other.sign(statement(&digest.prefixed(), STATEMENT));
    let wrong = judge(std::slice::from_ref(&signed), &reference, digest, &ours.key).unwrap_err().to_string();
    assert!(
        wrong.contains("no signature of `quay.io/acme/b:v1`") && wrong.contains("by another key"),
        "{wrong}"
    );
    let both = [signed, ours.sign(statement(&digest.prefixed(), STATEMENT))];
    judge(&both, &reference, digest, &ours.key).unwrap();
}
