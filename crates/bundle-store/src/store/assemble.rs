//! Blobs into a folder: made aside, renamed when complete, recorded last.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::{
    Store,
    index::{Entry, Index, boot},
    unpack,
};
use crate::{Digest, Layer, OciError};

impl Store {
    /// Makes the folder of the bundle out of its blobs, which are all there. Blocks.
    pub(super) fn assemble(
        &self,
        digest: Digest,
        files: &BTreeMap<String, Layer>,
    ) -> Result<Index, OciError> {
        let (tmp, trees) = (self.folder("tmp")?, self.folder("trees")?);
        let making =
            tempfile::TempDir::new_in(&tmp).map_err(OciError::storage("create a folder in", &tmp))?;
        let root = making.path();
        open_to_all(root)?;
        let mut digests = BTreeMap::new();
        let mut left = self.limits;
        for (path, layer) in files {
            let blob = self.blob(layer.digest);
            if layer.is_folder() {
                let below = Path::new(path).parent().unwrap_or(Path::new("")).to_owned();
                digests.extend(unpack::unpack(&blob, root, &below, &mut left, &layer.to_string())?);
            } else {
                put(&blob, &root.join(path))?;
                digests.insert(path.clone(), layer.digest);
            }
        }
        self.remove_tree(digest)?; // of a process that was killed in between
        let tree = trees.join(digest.to_string());
        fs::rename(root, &tree).map_err(OciError::storage("create", &tree))?;
        let blobs = files.values().map(|layer| layer.digest.to_string()).collect();
        let index = Index { boot: boot(), blobs, files: entries(&tree, digests)? };
        self.write_json(&self.record(digest), &index)?;
        Ok(index)
    }
}

fn entries(tree: &Path, digests: BTreeMap<String, Digest>) -> Result<BTreeMap<String, Entry>, OciError> {
    let entry = |(path, digest): (String, Digest)| {
        let full = tree.join(&path);
        Ok((path, Entry::of(&full, digest).map_err(OciError::storage("look at", &full))?))
    };
    digests.into_iter().map(entry).collect()
}

/// A second name for the blob; a copy where the file system has none.
fn put(blob: &Path, to: &Path) -> Result<(), OciError> {
    make_parents(to)?;
    match fs::hard_link(blob, to) {
        Ok(()) => Ok(()),
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {
            Err(OciError::storage("create", to)(fault))
        }
        Err(_) => fs::copy(blob, to).map(drop).map_err(OciError::storage("write", to)),
    }
}

pub(super) fn make_parents(path: &Path) -> Result<(), OciError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(OciError::storage("create the folder", parent))
}

fn open_to_all(folder: &Path) -> Result<(), OciError> {
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder, mode).map_err(OciError::storage("open", folder))
}

/// Copies a bundle of the cache to `to`, which must not be there or be empty: aside first, then renamed. Blocks.
///
/// # Errors
/// [`OciError::Folder`] when there is something already; [`OciError::Storage`].
pub fn export(cached: &super::Cached, to: &Path) -> Result<(), OciError> {
    if to.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || to.is_file() {
        let reason = "is there already; name a folder that is not there yet, or an empty one".into();
        return Err(OciError::Folder { path: to.into(), reason });
    }
    let absolute = std::path::absolute(to).map_err(OciError::storage("find", to))?;
    let beside: PathBuf = absolute.parent().unwrap_or(&absolute).to_owned();
    make_parents(&absolute)?;
    let making =
        tempfile::TempDir::new_in(&beside).map_err(OciError::storage("create a folder in", &beside))?;
    open_to_all(making.path())?;
    for (path, expected) in cached.files() {
        let (from, new) = (cached.dir.join(path), making.path().join(path));
        make_parents(&new)?;
        fs::copy(&from, &new).map_err(OciError::storage("write", &new))?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644))
            .map_err(OciError::storage("write", &new))?;
        let (_, found) = Digest::of_file(&new).map_err(OciError::storage("read", &new))?;
        if found != *expected {
            return Err(OciError::Digest {
                what: format!("the cached file `{path}`"),
                expected: *expected,
                found,
            });
        }
    }
    fs::rename(making.path(), to).map_err(OciError::storage("create", to))
}
