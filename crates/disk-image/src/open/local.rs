//! Sources on this machine: what is demanded of them is looked at when they are opened, long before a board is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use sha2::{Digest as _, Sha256};

use crate::cache::Key;
use crate::decode::lengths;
use crate::decode::stack::unwrap_layers;
use crate::decode::stored::{BaseLayer, Source};
use crate::demanded::Demanded;
use crate::open::blocking::blocking;
use crate::open::look::{judge_file, judge_layer};
use crate::open::lookup::CacheLookup;
use crate::open::opened::Opened;
use crate::open::table_end;
use crate::source::file::FileSource;
use crate::source::origin::Origin;
use crate::{Digest, Error, Expected, Format};

/// Bytes read at once.
const BUFFER: usize = 1 << 20;

/// Opens the file at `path`.
pub(crate) async fn open_file(
    label: &str,
    path: PathBuf,
    expected: Expected,
    demanded: Demanded,
    cache_lookup: CacheLookup,
) -> Result<Opened, Error> {
    blocking(label, move |label, alive| {
        let file = FileSource::open(label, &path, None)?;
        let key = Key::of_file(&path, cache_lookup.block_map);
        let local = LocalSource { label, file, key, cache_lookup, demanded, expected, may_be_cut: false };
        local.open(|_| Origin::File(path), alive)
    })
    .await
}

/// Opens what standard input held.
pub(crate) async fn open_spool(
    label: &str,
    file: Arc<File>,
    expected: Expected,
    demanded: Demanded,
    cache_lookup: CacheLookup,
) -> Result<Opened, Error> {
    blocking(label, move |label, alive| {
        let file = FileSource::of(label, file)?;
        let local =
            LocalSource { label, file, key: None, cache_lookup, demanded, expected, may_be_cut: true };
        local.open(Origin::Spool, alive)
    })
    .await
}

/// A file that is open, and what it is wanted for.
struct LocalSource<'l> {
    label: &'l str,
    file: FileSource,
    /// The state the file is in, if it differs from every other state.
    key: Option<Key>,
    cache_lookup: CacheLookup,
    demanded: Demanded,
    /// What the decoded image must be.
    expected: Expected,
    /// Whether the writer may have stopped early without an error: standard input.
    may_be_cut: bool,
}

impl LocalSource<'_> {
    /// Looks through all wrappings, at the cache, and at what is demanded. `alive` is gone when the caller is.
    fn open(self, origin: impl FnOnce(Arc<File>) -> Origin, alive: &Weak<()>) -> Result<Opened, Error> {
        if self.file.length() == 0 {
            return Err(Error::Empty { label: self.label.into() });
        }
        let handle = self.file.handle();
        let found = match self.demanded.sha256 {
            Some(_) => Some(self.digest(&handle, alive)?),
            None => None,
        };
        let (hit, cache_slot) = self.cache_lookup.by_key(self.key.clone(), found);
        if let Some(hit) = hit {
            let opened = Opened { origin: origin(handle), source_sha256: found, ..Opened::copy(hit) };
            return self.checked(opened, found);
        }
        let (label, length) = (self.label, self.file.length());
        let probed = probe(label, FileSource::of(label, handle.clone())?, self.expected, origin)?;
        if probed.format == Format::Raw
            && self.may_be_cut
            && self.demanded.is_open_ended()
            && !table_end::ends(&handle, length)
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
        match (self.demanded.sha256.zip(found), decoded) {
            (Some((expected, found)), None) if expected != found => {
                Ok(Opened { has_open_question: true, ..opened })
            }
            (Some((_, found)), Some(decoded)) => {
                self.demanded.check_digest(self.label, found, decoded).map(|_| opened)
            }
            _ => Ok(opened),
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
