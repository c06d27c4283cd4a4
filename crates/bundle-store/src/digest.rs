//! One digest for a whole bundle.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
    str::FromStr,
};

use sha2::{Digest as _, Sha256};

/// A SHA-256 digest. Shown as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest of `bytes`.
    pub fn of(bytes: impl AsRef<[u8]>) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// As OCI and most tools write it: `sha256:` and the digits.
    pub fn prefixed(&self) -> String {
        format!("sha256:{self}")
    }

    /// What a hash of bytes that came piece by piece amounts to.
    pub(crate) fn finish(hash: Sha256) -> Digest {
        Digest(hash.finalize().into())
    }

    /// Length and digest of a file, read to its end.
    pub(crate) fn of_file(path: &Path) -> io::Result<(u64, Digest)> {
        EntryDigest::of_file(path).map(|content| (content.length, Digest(content.digest)))
    }
}

/// The text is no SHA-256 digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `sha256:` and 64 hexadecimal digits")]
pub struct DigestError;

impl FromStr for Digest {
    type Err = DigestError;

    /// Reads 64 hexadecimal digits, with or without `sha256:` in front.
    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text).as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return Err(DigestError);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| DigestError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| DigestError)?;
        }
        if digits.iter().all(u8::is_ascii_hexdigit) { Ok(Digest(bytes)) } else { Err(DigestError) }
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

/// Length and digest of one entry of a bundle.
#[derive(Debug)]
pub(crate) struct EntryDigest {
    length: u64,
    digest: [u8; 32],
}

impl EntryDigest {
    /// The digest of the content alone, without name and length.
    pub(crate) fn digest(&self) -> Digest {
        Digest(self.digest)
    }

    pub(crate) fn of_text(text: &str) -> EntryDigest {
        EntryDigest { length: text.len() as u64, digest: Sha256::digest(text).into() }
    }

    pub(crate) fn of_file(path: &Path) -> io::Result<EntryDigest> {
        let mut file = File::open(path)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 18];
        let mut length = 0;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(EntryDigest { length, digest: hash.finalize().into() }),
                Ok(count) => {
                    hash.update(buffer.get(..count).unwrap_or_default());
                    length += count as u64;
                }
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
    }
}

/// The digest over all entries. Names and lengths are framed, so that no two bundles give the same input.
pub(crate) fn over<'e>(entries: impl Iterator<Item = (&'e String, &'e EntryDigest)>) -> Digest {
    let mut hash = Sha256::new();
    for (name, content) in entries {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update(content.length.to_le_bytes());
        hash.update(content.digest);
    }
    Digest(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_tools_write_it_and_nothing_else() {
        let text = Digest::of("test").prefixed();
        assert_eq!(text, "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
        assert_eq!(text.parse(), Ok(Digest::of("test")));
        for wrong in ["", "sha256:", "sha512:00", &text[..70], &text.replace("9f", "+f"), &format!("{text}0")]
        {
            assert_eq!(wrong.parse::<Digest>(), Err(DigestError), "{wrong}");
        }
    }
}
