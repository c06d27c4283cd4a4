//! Bytes of a console in JSON: text where they are UTF-8, base64 where they are not.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Raw { base64: String },
}

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    let written = match std::str::from_utf8(bytes) {
        Ok(text) => Written::Text(text.to_owned()),
        Err(_) => Written::Raw { base64: BASE64_STANDARD.encode(bytes) },
    };
    written.serialize(to)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    match Written::deserialize(from)? {
        Written::Text(text) => Ok(text.into_bytes()),
        Written::Raw { base64 } => BASE64_STANDARD.decode(base64).map_err(de::Error::custom),
    }
}
