//! A signed statement that a flash passed or failed: an in-toto statement in a DSSE envelope.

mod key;
mod statement;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flasher_core::{Error, Result};
use serde_json::json;

pub use self::key::SigningKey;
use crate::job::ReportedJob;
use crate::standing::Standing;

/// What the payload of an envelope is.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The statement about `job`, signed with `key`: a DSSE envelope as JSON on one line, as cosign and in-toto's tools take it. Its
/// predicate is in-toto's `test-result`; its subjects are the images, by their digests.
///
/// # Errors
/// Class source when the receipt does not bear out what it says, or names no digest of an image.
pub fn attest(job: &ReportedJob, key: &SigningKey) -> Result<String> {
    if let Standing::Unproven(why) = &job.standing {
        return Err(Error::new(
            flasher_core::Class::Source,
            format!("nothing is attested: the receipt `{}` proves nothing: {why}", job.name),
        )
        .help("flash again, and keep the receipt as it is written"));
    }
    let payload = statement::statement(job)?.to_string();
    let signature = key.sign(&to_be_signed(PAYLOAD_TYPE, payload.as_bytes()))?;
    let envelope = json!({
        "payloadType": PAYLOAD_TYPE,
        "payload": STANDARD.encode(&payload),
        "signatures": [{ "keyid": key.id(), "sig": STANDARD.encode(signature) }],
    });
    Ok(envelope.to_string())
}

/// The bytes that a DSSE signature is made over: the type and the payload, each behind its length.
fn to_be_signed(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_has_type_and_payload_behind_their_lengths() {
        // The example of the DSSE protocol.
        let bytes = to_be_signed("http://example.com/HelloWorld", b"hello world");
        assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }
}
