//! A block map as an archive has it, and as the description of a copy keeps it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest block map that is read, in bytes; one of 100 000 ranges has about 10 MB.
pub(crate) const LONGEST: u64 = 32 << 20;

/// A block map out of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArchiveMap {
    /// Its path in the archive.
    pub(crate) name: String,
    #[serde(serialize_with = "hex", deserialize_with = "from_hex")]
    pub(crate) map: Vec<u8>,
    /// The signature beside it, if there is one.
    pub(crate) signature: Option<Signature>,
}

/// A detached signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signature(
    #[serde(serialize_with = "hex", deserialize_with = "from_hex")] pub(crate) Vec<u8>,
);

/// The bytes of hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("`{}` is no checksum", text.chars().take(140).collect::<String>());
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0 && !digits.is_empty()).ok_or_else(wrong)?;
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    serializer.serialize_str(&digits)
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let digits = String::deserialize(deserializer)?;
    unhex(&digits).map_err(serde::de::Error::custom)
}
