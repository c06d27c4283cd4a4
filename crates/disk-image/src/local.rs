//! Sources on this machine: what is demanded of them is looked at when they are opened, long before a board is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Weak};

use sha2::{Digest as _, Sha256};

use crate::cache::Key;
use crate::image::Origin;
use crate::layer::unwrap_layers;
use crate::open::{CacheLookup, Opened};
use crate::options::Expected;
use crate::recognise::{judge_file, judge_layer};
use crate::source::{BaseLayer, FileSource, Source};
use crate::{Digest, Error, Format, lengths, table};

/// Bytes read at once.
const BUFFER: usize = 1 << 20;

/// A file that is open, and what it is wanted for.
pub(crate) struct LocalSource<'l> {
    pub(crate) label: &'l str,
    pub(crate) file: FileSource,
    /// The state the file is in, if it differs from every other state.
    pub(crate) key: Option<Key>,
    pub(crate) cache_lookup: CacheLookup,
    /// What the decoded image must be.
    pub(crate) expected: Expected,
    /// Whether the writer may have stopped early without an error: standard input.
    pub(crate) may_be_cut: bool,
}

impl LocalSource<'_> {
    /// Looks through all wrappings, at the cache, and at what is demanded. `alive` is gone when the caller is.
    pub(crate) fn open(
        self,
        origin: impl FnOnce(Arc<File>) -> Origin,
        alive: &Weak<()>,
    ) -> Result<Opened, Error> {
        if self.file.length() == 0 {
            return Err(Error::Empty { label: self.label.into() });
        }
        let handle = self.file.handle();
        let found = match self.cache_lookup.sha256 {
            Some(_) => Some(self.digest(&handle, alive)?),
            None => None,
        };
        let (hit, cache_slot) = self.cache_lookup.by_key(self.key.clone(), found);
        if let Some(hit) = hit {
            let opened = Opened { source_sha256: found, ..Opened::copy(hit) };
            return self.checked(opened, found);
        }
        let (label, cache_lookup, length) = (self.label, &self.cache_lookup, self.file.length());
        let probed = probe(label, FileSource::of(label, handle.clone())?, self.expected, origin)?;
        if probed.format == Format::Raw
            && self.may_be_cut
            && cache_lookup.is_open_ended()
            && !table::ends(&handle, length)
        {
            return Err(Error::Unproven { label: label.into() });
        }
        // A copy of a raw file would be no better than the file.
        let cache_slot = cache_slot.filter(|_| probed.format != Format::Raw);
        self.checked(Opened { cache_slot, source_sha256: found, ..probed }, found)
    }

    /// Refuses what is known to be another image. What only its decoding tells is left to that.
    fn checked(&self, opened: Opened, found: Option<Digest>) -> Result<Opened, Error> {
        let decoded = match (&opened.hit, opened.format) {
            (Some(hit), _) => Some(hit.meta.decoded_sha256),
            (None, Format::Raw) => found,
            (None, _) => None,
        };
        let (expected, source_sha256) = match self.cache_lookup.sha256.zip(found) {
            Some((expected, found)) if expected != found => (expected, found),
            _ => return Ok(opened),
        };
        match decoded {
            None => Ok(Opened { has_open_question: true, ..opened }),
            Some(decoded) if decoded == expected => Ok(opened),
            Some(decoded_sha256) => {
                let (label, list) = (self.label.into(), self.cache_lookup.list.clone());
                let decoded_sha256 = Box::new(decoded_sha256);
                Err(Error::DigestDiffers { label, expected, list, source_sha256, decoded_sha256 })
            }
        }
    }

    /// The digest of all its bytes.
    fn digest(&self, file: &File, alive: &Weak<()>) -> Result<Digest, Error> {
        let (mut hash, mut buffer, mut offset) = (Sha256::new(), vec![0; BUFFER], 0);
        while alive.strong_count() > 0 {
            let count = match file.read_at(&mut buffer, offset) {
                Ok(0) => return Ok(<[u8; 32]>::from(hash.finalize()).into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(Error::Read { label: self.label.into(), offset, source }),
            };
            hash.update(&buffer[..count]);
            offset += count as u64;
        }
        Err(Error::Ended { label: self.label.into() })
    }
}

/// Looks through all wrappings of a file, and at what is in them.
fn probe(
    label: &str,
    file: FileSource,
    expected: Expected,
    origin: impl FnOnce(Arc<File>) -> Origin,
) -> Result<Opened, Error> {
    let (length, handle) = (file.length(), file.handle());
    let mut peeled = unwrap_layers(label, Box::new(BaseLayer::new(Source::File(file))))?;
    let format = peeled.formats.first().copied().unwrap_or(Format::Raw);
    let decoded_length = match peeled.formats.len() {
        0 | 1 => lengths::decoded(format, &handle, length),
        _ => peeled.length,
    };
    let content = match format {
        Format::Raw => judge_file(label, expected, &handle, length)?,
        _ => judge_layer(label, expected, peeled.top.as_mut(), decoded_length)?,
    };
    // Whether an archive holds one image shows at its end.
    let has_archive = peeled.formats.iter().any(|format| format.is_archive());
    let opened = Opened::new(format, origin(handle), Some(length), decoded_length);
    Ok(Opened { content, has_archive, has_open_question: has_archive, ..opened })
}
