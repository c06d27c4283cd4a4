//! What a server serves: the files below a root, and content published under paths of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flasher_core::{CancellationToken, Content, Upload};

use crate::error::Error;

/// A folder and the content published over it. Cloning shares both, so a site outlives the servers that serve it.
#[derive(Clone, Debug)]
pub struct Site {
    root: PathBuf,
    published: Arc<Mutex<BTreeMap<String, Published>>>,
}

/// What is found under a path, until withdrawn.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) what: PublishedBody,
    pub(crate) withdrawn: CancellationToken,
}

/// Which way the bytes go.
#[derive(Clone, Debug)]
pub(crate) enum PublishedBody {
    Content(Content),
    Upload(Upload),
}

impl Site {
    /// The site of the files below `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), published: Arc::default() }
    }

    /// The folder whose files are served.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Serves `content` under `path` (no leading slash) until withdrawn. It hides a file of that name. What was
    /// published there before is withdrawn.
    ///
    /// # Errors
    /// [`Error::Path`] when the path is not a plain relative one.
    pub fn publish(&self, path: &str, content: Content) -> Result<(), Error> {
        self.put(path, PublishedBody::Content(content))
    }

    /// Takes what clients send to `path` (no leading slash) by PUT or POST until withdrawn. What was published there
    /// before is withdrawn.
    ///
    /// # Errors
    /// [`Error::Path`] when the path is not a plain relative one.
    pub fn accept(&self, path: &str, upload: Upload) -> Result<(), Error> {
        self.put(path, PublishedBody::Upload(upload))
    }

    fn put(&self, path: &str, what: PublishedBody) -> Result<(), Error> {
        if !is_plain(path) {
            return Err(Error::Path(path.to_owned()));
        }
        let published = Published { what, withdrawn: CancellationToken::new() };
        let before = self.published().insert(path.to_owned(), published);
        before.into_iter().for_each(Published::cut);
        Ok(())
    }

    /// Stops serving what was published under `path`; transfers under way are cut. Does nothing when there is nothing.
    pub fn withdraw(&self, path: &str) {
        let before = self.published().remove(path);
        before.into_iter().for_each(Published::cut);
    }

    /// Withdraws all that was published.
    pub fn clear(&self) {
        let before = std::mem::take(&mut *self.published());
        before.into_values().for_each(Published::cut);
    }

    pub(crate) fn find(&self, path: &str) -> Option<Published> {
        self.published().get(path).cloned()
    }

    fn published(&self) -> MutexGuard<'_, BTreeMap<String, Published>> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Published {
    fn cut(self) {
        self.withdrawn.cancel();
    }
}

fn is_plain(path: &str) -> bool {
    !path.chars().any(char::is_control) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_paths_are_published() {
        let cases = [
            ("disk.img", true),
            ("a/b c/ü.sh", true),
            ("...", true),
            ("", false),
            ("/disk.img", false),
            ("a/", false),
            ("a//b", false),
            ("./a", false),
            ("a/../b", false),
            ("a\nb", false),
            ("a\0", false),
        ];
        for (path, plain) in cases {
            let site = Site::new("/nowhere");
            assert_eq!(site.publish(path, Content::bytes("x")).is_ok(), plain, "{path:?}");
            assert_eq!(site.find(path).is_some(), plain, "{path:?}");
        }
    }

    #[test]
    fn publishing_again_withdraws_what_was_there() {
        let site = Site::new("/nowhere");
        site.publish("a", Content::bytes("old")).unwrap();
        let old = site.find("a").unwrap();
        site.publish("a", Content::bytes("newer")).unwrap();
        assert!(old.withdrawn.is_cancelled());
        let PublishedBody::Content(newer) = site.find("a").unwrap().what else { panic!("no content") };
        assert_eq!(newer.length(), Some(5));
        site.clear();
        assert!(site.find("a").is_none());
    }
}
