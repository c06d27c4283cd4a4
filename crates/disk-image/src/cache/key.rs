//! What tells one state of a source from another: of a file its place, length and times, of an object its URL and validator.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::Digest;
use crate::http::Validator;

/// How long a file must have been left alone: its times have the resolution of the kernel's tick, up to 10 ms.
const SETTLED: Duration = Duration::from_millis(100);
/// Changes when copies of older versions must not be used any more.
const GENERATION: &str = "flasher image cache 1";

/// A source in one state, together with the block map it is read with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    digest: Digest,
    /// The file it is about, to look at it again.
    file: Option<PathBuf>,
    block_map: Option<Digest>,
}

impl Key {
    /// The file at `path` as it is now; none if it is only just written.
    pub(crate) fn of_file(path: &Path, block_map: Option<Digest>) -> Option<Key> {
        let place = path.canonicalize().ok()?;
        let data = place.metadata().ok()?;
        let changed = SystemTime::UNIX_EPOCH
            + Duration::new(data.ctime().try_into().ok()?, data.ctime_nsec().try_into().ok()?);
        if !data.is_file() || changed.elapsed().is_ok_and(|age| age < SETTLED) {
            return None;
        }
        let text = format!(
            "file\n{place:?}\n{} {} {}\n{} {}\n{} {}",
            data.dev(),
            data.ino(),
            data.len(),
            data.mtime(),
            data.mtime_nsec(),
            data.ctime(),
            data.ctime_nsec()
        );
        Some(Key { file: Some(path.to_owned()), ..Key::of(&text, block_map) })
    }

    /// The object at `url`; none if its server does not tell versions apart.
    pub(crate) fn of_object(
        url: &str,
        length: Option<u64>,
        validator: &Validator,
        block_map: Option<Digest>,
    ) -> Option<Key> {
        let version = validator.if_range()?;
        let text = format!("object\n{url}\n{version:?}\n{length:?}");
        Some(Key::of(&text, block_map))
    }

    /// Bytes with this digest, wherever they are.
    pub(crate) fn of_bytes(sha256: Digest, block_map: Option<Digest>) -> Key {
        Key::of(&format!("bytes\n{sha256}"), block_map)
    }

    fn of(text: &str, block_map: Option<Digest>) -> Key {
        let digest = Digest::of(format!("{GENERATION}\n{text}\n{block_map:?}").as_bytes());
        Key { digest, file: None, block_map }
    }

    /// Its name in the cache.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// The block map it is read with.
    pub(crate) fn block_map(&self) -> Option<Digest> {
        self.block_map
    }

    /// Whether the source is still in that state, as far as it can be looked at.
    pub(crate) fn still_holds(&self) -> bool {
        self.file.as_ref().is_none_or(|path| Key::of_file(path, self.block_map).as_ref() == Some(self))
    }
}
