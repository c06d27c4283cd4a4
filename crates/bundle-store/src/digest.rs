//! Digests of files, and one digest for a whole bundle.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use flasher_base::digest::Digest;
use sha2::{Digest as _, Sha256};

/// What a hash of bytes that came piece by piece amounts to.
pub(crate) fn finish(hash: Sha256) -> Digest {
    Digest::from(<[u8; 32]>::from(hash.finalize()))
}

/// Length and digest of a file, read to its end.
pub(crate) fn of_file(path: &Path) -> io::Result<(u64, Digest)> {
    EntryDigest::of_file(path).map(|content| (content.length, content.digest))
}

/// Length and digest of one entry of a bundle.
#[derive(Debug)]
pub(crate) struct EntryDigest {
    length: u64,
    digest: Digest,
}

impl EntryDigest {
    /// The digest of the content alone, without name and length.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn of_text(text: &str) -> EntryDigest {
        EntryDigest { length: text.len() as u64, digest: Digest::of(text) }
    }

    pub(crate) fn of_file(path: &Path) -> io::Result<EntryDigest> {
        let mut file = File::open(path)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 18];
        let mut length = 0;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(EntryDigest { length, digest: finish(hash) }),
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
        hash.update(content.digest.as_bytes());
    }
    finish(hash)
}
