//! SHA-256 digests as values: compared as bytes, written and read as hexadecimal text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A SHA-256 digest (FIPS 180-4). Text form: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: impl AsRef<[u8]>) -> Digest {
        use sha2::Digest as _;
        Digest(sha2::Sha256::digest(bytes).into())
    }

    /// The 32 bytes of the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As OCI and most tools write it: `sha256:` and the digits.
    pub fn prefixed(&self) -> String {
        format!("sha256:{self}")
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A text that is no SHA-256 digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a sha256 digest, expected 64 hexadecimal digits")]
pub struct DigestError {
    text: String,
}

impl FromStr for Digest {
    type Err = DigestError;

    /// Reads 64 hexadecimal digits of either case, with or without `sha256:` in front.
    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let wrong = || DigestError { text: text.chars().take(80).collect() };
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let digits: Option<Vec<u8>> = digits.chars().map(|c| c.to_digit(16).map(|it| it as u8)).collect();
        let digits = digits.filter(|digits| digits.len() == 64).ok_or_else(wrong)?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |high, low| high << 4 | low)).collect();
        bytes.try_into().map(Digest).map_err(|_| wrong())
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-4 example

    #[test]
    fn a_digest_is_the_same_text_everywhere() {
        let digest = Digest::of("abc");
        assert_eq!(digest.to_string(), ABC);
        assert_eq!(ABC.to_uppercase().parse(), Ok(digest));
        assert_eq!(digest.prefixed(), format!("sha256:{ABC}"));
        assert_eq!(digest.prefixed().parse(), Ok(digest));
        assert_eq!(serde_json::to_string(&digest).unwrap(), format!("\"{ABC}\""));
        assert_eq!(serde_json::from_str::<Digest>(&format!("\"{ABC}\"")).unwrap(), digest);
        assert_eq!(format!("{digest:?}"), format!("Digest({ABC})"));
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        let texts = [
            String::new(),
            "abc".to_owned(),
            "sha256:".to_owned(),
            "sha512:00".to_owned(),
            ABC[1..].to_owned(),
            format!("{ABC}0"),
            format!("+{}", &ABC[1..]),
            format!("sha256:sha256:{ABC}"),
            ABC.replace('b', "g"),
        ];
        for text in texts {
            assert_eq!(
                text.parse::<Digest>().unwrap_err().to_string(),
                format!(
                    "`{}` is not a sha256 digest, expected 64 hexadecimal digits",
                    &text[..text.len().min(80)]
                )
            );
        }
    }
}
