//! What tells one state of a source from another: of a file its place, length and times, of an object its URL and validator.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use reqwest::header::HeaderValue;

use crate::Digest;

/// How long a file must have been left alone: its times have the resolution of the kernel's tick, up to 10 ms.
const SETTLED: Duration = Duration::from_millis(100);
/// The same where times have whole seconds (inodes of 128 bytes) or every second one of them (FAT).
const SETTLED_COARSE: Duration = Duration::from_secs(2);
/// Changes when copies of older versions must not be used any more.
const GENERATION: &str = "flasher image cache 3";

/// An object of a server in one version.
#[derive(Debug)]
pub(crate) struct ObjectVersion<'o> {
    /// What it was asked for by: of a signed URL what does not change.
    pub(crate) name: &'o str,
    /// What was asked with, as a digest: credentials, other headers, which certificates were accepted. Another asker may get other
    /// bytes under the same tag.
    pub(crate) asker: Digest,
    /// Where it came from in the end.
    pub(crate) place: &'o str,
    /// The server's strong tag for these bytes.
    pub(crate) tag: HeaderValue,
    /// Its length in bytes, if the server tells it.
    pub(crate) length: Option<u64>,
}

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
        let changed = Duration::new(data.ctime().try_into().ok()?, data.ctime_nsec().try_into().ok()?);
        if !data.is_file() || !is_settled(changed, SystemTime::now()) {
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

    /// The object as its server answered with it.
    pub(crate) fn of_object(object: &ObjectVersion<'_>, block_map: Option<Digest>) -> Key {
        let ObjectVersion { name, asker, place, tag, length } = object;
        Key::of(&format!("object\n{name}\n{asker}\n{place}\n{tag:?}\n{length:?}"), block_map)
    }

    /// Bytes with this digest, wherever they are.
    pub(crate) fn of_bytes(sha256: Digest, block_map: Option<Digest>) -> Key {
        Key::of(&format!("bytes\n{sha256}"), block_map)
    }

    /// Bytes that have this digest as they are stored or decoded, wherever they are.
    pub(crate) fn of_demanded(sha256: Digest, block_map: Option<Digest>) -> Key {
        Key::of(&format!("demanded\n{sha256}"), block_map)
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

/// Whether a file that changed at `changed` (since 1970) cannot be changed any more without getting another time. A time in
/// the future tells nothing.
fn is_settled(changed: Duration, now: SystemTime) -> bool {
    let pause = if changed.subsec_nanos() == 0 { SETTLED_COARSE } else { SETTLED };
    now.duration_since(SystemTime::UNIX_EPOCH + changed).is_ok_and(|age| age >= pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modification_times_that_identify_a_state() {
        let now = SystemTime::UNIX_EPOCH + Duration::new(1000, 500_000_000);
        for (seconds, nanos, settled) in [
            (1000, 450_000_000, false),
            (1000, 400_000_000, true),
            (1000, 500_000_001, false), // in the future
            (1000, 0, false),           // whole seconds
            (999, 0, false),
            (998, 0, true),
            (1001, 0, false),
            (0, 0, true),
        ] {
            assert_eq!(is_settled(Duration::new(seconds, nanos), now), settled, "{seconds}.{nanos:09}");
        }
    }
}
