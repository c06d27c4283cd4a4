//! What must be in a bundle of the cache, and whether it still is.

use std::{collections::BTreeMap, fs, io, os::unix::fs::MetadataExt, path::Path, time::SystemTime};

use serde::{Deserialize, Serialize};

use super::{files::ignore_missing, layout::Layout};
use crate::{Digest, OciError, Reference, json_file};

/// The record of a bundle, written when it is complete.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Index {
    /// The boot of the machine in which its files were last hashed: a power cut damages files without a trace.
    pub(super) boot: String,
    /// Blobs it was made of.
    pub(super) blobs: Vec<String>,
    pub(super) files: BTreeMap<String, Entry>,
}

/// One file, and how it looked when it was hashed.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) sha256: String,
    length: u64,
    modified: i64,
    nanoseconds: i64,
    inode: u64,
}

/// How a bundle stands in the cache.
#[derive(Debug)]
pub(super) enum State {
    Missing,
    Ready(Index),
    /// These files are not what they were.
    Damaged(Vec<String>),
}

impl Index {
    /// Digest of each file.
    pub(super) fn digests(&self) -> BTreeMap<String, Digest> {
        let digest = |(path, entry): (&String, &Entry)| Some((path.clone(), entry.sha256.parse().ok()?));
        self.files.iter().filter_map(digest).collect()
    }
}

impl Entry {
    /// The entry of the file at `path`, whose content has `digest`.
    pub(super) fn of(path: &Path, digest: Digest) -> io::Result<Entry> {
        let about = fs::symlink_metadata(path)?;
        if !about.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        Ok(Entry {
            sha256: digest.to_string(),
            length: about.len(),
            modified: about.mtime(),
            nanoseconds: about.mtime_nsec(),
            inode: about.ino(),
        })
    }

    fn is_untouched(&self, path: &Path) -> bool {
        let digest = self.sha256.parse().ok();
        digest.and_then(|digest| Entry::of(path, digest).ok()).as_ref() == Some(self)
    }

    fn is_whole(&self, path: &Path) -> bool {
        let found = crate::digest::of_file(path).ok();
        found.is_some_and(|(length, digest)| length == self.length && digest.to_string() == self.sha256)
    }
}

impl Layout {
    /// Looks whether the bundle is there and undamaged. Blocks: may hash all of it. What is damaged is removed.
    pub(super) fn look(&self, digest: Digest) -> Result<State, OciError> {
        let tree = self.tree(digest);
        let Some(mut index) = read_index(&self.record(digest)) else { return Ok(State::Missing) };
        let here = boot();
        let untouched = |(path, entry): (&String, &Entry)| entry.is_untouched(&tree.join(path));
        if index.boot == here && index.files.iter().all(untouched) {
            return Ok(State::Ready(index));
        }
        let is_damaged = |(path, entry): &(&String, &Entry)| !entry.is_whole(&tree.join(path));
        let damaged: Vec<String> =
            index.files.iter().filter(is_damaged).map(|(path, _)| path.clone()).collect();
        if !damaged.is_empty() {
            self.remove_tree(digest)?;
            return Ok(State::Damaged(damaged));
        }
        for (path, entry) in &mut index.files {
            let path = tree.join(path);
            let digest = entry.sha256.parse().unwrap_or_else(|_| Digest::of(""));
            *entry = Entry::of(&path, digest).map_err(OciError::storage("look at", &path))?;
        }
        index.boot = here;
        self.write_json(&self.record(digest), &index)?;
        Ok(State::Ready(index))
    }

    /// Has the files of a bundle hashed when it is looked at next, however they look. Blocks.
    pub(super) fn distrust(&self, digest: Digest) -> Result<(), OciError> {
        let Some(index) = read_index(&self.record(digest)) else { return Ok(()) };
        self.write_json(&self.record(digest), &Index { boot: String::new(), ..index })
    }

    /// The record first: without it the rest counts as not there.
    pub(super) fn remove_tree(&self, digest: Digest) -> Result<(), OciError> {
        let (record, tree) = (self.record(digest), self.tree(digest));
        ignore_missing(fs::remove_file(&record)).map_err(OciError::storage("remove", record))?;
        ignore_missing(fs::remove_dir_all(&tree)).map_err(OciError::storage("remove", tree))
    }

    /// Remembers that `reference` stood for `digest` and was used now; lets the field's name for it point there.
    pub(super) fn note_use(&self, reference: &Reference, digest: Digest) -> Result<(), OciError> {
        let text = reference.to_string();
        let path = self.folder("refs")?.join(format!("{}.json", Digest::of(&text)));
        match json_file::read::<Use>(&path) {
            Some(known) if known.digest == digest.to_string() => {
                let file = fs::OpenOptions::new().write(true).open(&path);
                let touched = file.and_then(|file| file.set_modified(SystemTime::now()));
                touched.map_err(OciError::storage("write", &path))?;
            }
            _ => self.write_json(&path, &Use { reference: text.clone(), digest: digest.to_string() })?,
        }
        self.link(&text, digest)
    }

    /// What `reference` stood for when it was last used here.
    pub(super) fn last_seen(&self, reference: &Reference) -> Option<Digest> {
        let name = format!("{}.json", Digest::of(reference.to_string()));
        json_file::read::<Use>(&self.dir().join("refs").join(name))?.digest.parse().ok()
    }

    /// `quay.io/acme/b:v1` becomes `quay.io_acme_b_v1`, as Jumpstarter names its folders. A real folder there stays.
    fn link(&self, text: &str, digest: Digest) -> Result<(), OciError> {
        let link = self.dir().join(text.replace([':', '/'], "_"));
        let target = Path::new("trees").join(digest.to_string());
        let is_ours = fs::symlink_metadata(&link).map_or(true, |about| about.is_symlink());
        if !is_ours || fs::read_link(&link).is_ok_and(|now| now == target) {
            return Ok(());
        }
        let fresh = self.folder("tmp")?.join(format!("link-{}-{digest}", std::process::id()));
        let failed = |fault| OciError::Storage { action: "make the link", path: link.clone(), source: fault };
        ignore_missing(fs::remove_file(&fresh)).map_err(failed)?;
        std::os::unix::fs::symlink(&target, &fresh).map_err(failed)?;
        fs::rename(&fresh, &link).map_err(failed)
    }
}

/// A name and what it stood for; the file's time of change is when it was last used.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Use {
    pub(super) reference: String,
    pub(super) digest: String,
}

pub(super) fn read_index(path: &Path) -> Option<Index> {
    json_file::read(path)
}

/// What tells this boot of the machine from others. Without it every look hashes.
pub(super) fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    if id.trim().is_empty() { format!("unknown-{:?}", SystemTime::now()) } else { id.trim().to_owned() }
}
