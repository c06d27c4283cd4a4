//! What clients may send: nothing, but what was announced, under exactly its name and once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flasher_core::{CancellationToken, Upload};

use crate::error::Error;

/// Most files that are announced at a time.
const ANNOUNCED: usize = 64;

/// Where clients may send files to. Nothing of them gets into a folder: what takes their bytes comes with the announcement.
/// Cloning shares it, so announcements outlive the servers that take the files.
#[derive(Clone, Debug, Default)]
pub struct AnnouncedUploads(Arc<Mutex<BTreeMap<String, AnnouncedUpload>>>);

/// A file that a client may send, until withdrawn.
#[derive(Clone, Debug)]
pub(crate) struct AnnouncedUpload {
    pub(crate) upload: Upload,
    pub(crate) withdrawn: CancellationToken,
}

impl AnnouncedUploads {
    /// Takes the file that a client sends under the name `path` (no leading slash) until withdrawn; replaces what was announced
    /// under it.
    ///
    /// # Errors
    /// [`Error::Announced`] when the path is not a plain relative one, or too much is announced already.
    pub fn accept(&self, path: &str, upload: Upload) -> Result<(), Error> {
        let mut announced = self.announced();
        if !is_plain(path) || (announced.len() >= ANNOUNCED && !announced.contains_key(path)) {
            return Err(Error::Announced(path.to_owned()));
        }
        let entry = AnnouncedUpload { upload, withdrawn: CancellationToken::new() };
        if let Some(before) = announced.insert(path.to_owned(), entry) {
            before.withdrawn.cancel();
        }
        Ok(())
    }

    /// Takes the file no more; a transfer under way ends with an error.
    pub fn withdraw(&self, path: &str) {
        if let Some(before) = self.announced().remove(path) {
            before.withdrawn.cancel();
        }
    }

    /// Withdraws everything.
    pub(crate) fn clear(&self) {
        std::mem::take(&mut *self.announced()).into_values().for_each(|before| before.withdrawn.cancel());
    }

    /// What a client asks to send, if it may. The name counts byte for byte, but for slashes before it.
    pub(crate) fn find(&self, asked: &[u8]) -> Option<AnnouncedUpload> {
        let asked = std::str::from_utf8(asked).ok()?;
        self.announced().get(asked.trim_start_matches('/')).cloned()
    }

    fn announced(&self) -> MutexGuard<'_, BTreeMap<String, AnnouncedUpload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_plain(path: &str) -> bool {
    !path.chars().any(char::is_control) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_announced_is_found_under_exactly_its_name() {
        let uploads = AnnouncedUploads::default();
        for path in ["", "/a", "a/", "a//b", "../a", "a/./b", "a\nb"] {
            assert!(uploads.accept(path, Upload::new(1, || None)).is_err(), "{path:?}");
        }
        uploads.accept("job/part", Upload::new(7, || None)).unwrap();
        for (asked, found) in [
            (&b"job/part"[..], true),
            (b"/job/part", true),
            (b"job//part", false),
            (b"job/./part", false),
            (b"job/part2", false),
            (b"job", false),
            (b"", false),
            (b"job/part\xff", false),
        ] {
            assert_eq!(uploads.find(asked).is_some(), found, "{}", String::from_utf8_lossy(asked));
        }
        let found = uploads.find(b"job/part").unwrap();
        uploads.accept("job/part", Upload::new(8, || None)).unwrap();
        assert!(found.withdrawn.is_cancelled(), "another one took its place");
        uploads.withdraw("job/part");
        assert!(uploads.find(b"job/part").is_none());
    }

    #[test]
    fn so_many_are_announced_at_a_time() {
        let uploads = AnnouncedUploads::default();
        let accept = |number: usize| uploads.accept(&number.to_string(), Upload::new(1, || None));
        (0..ANNOUNCED).for_each(|number| accept(number).unwrap());
        accept(ANNOUNCED).unwrap_err();
        accept(3).unwrap();
        uploads.clear();
        accept(ANNOUNCED).unwrap();
    }
}
