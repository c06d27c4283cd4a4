//! One digest for a whole bundle.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
};

use sha2::{Digest as _, Sha256};

/// A SHA-256 digest. Shown as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
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
pub(crate) struct Content {
    length: u64,
    digest: [u8; 32],
}

impl Content {
    pub(crate) fn of_text(text: &str) -> Content {
        Content { length: text.len() as u64, digest: Sha256::digest(text).into() }
    }

    pub(crate) fn of_file(path: &Path) -> io::Result<Content> {
        let mut file = File::open(path)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 18];
        let mut length = 0;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(Content { length, digest: hash.finalize().into() }),
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
pub(crate) fn over<'e>(entries: impl Iterator<Item = (&'e String, &'e Content)>) -> Digest {
    let mut hash = Sha256::new();
    for (name, content) in entries {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update(content.length.to_le_bytes());
        hash.update(content.digest);
    }
    Digest(hash.finalize().into())
}
