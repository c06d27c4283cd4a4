//! Blobs into a folder: made aside, renamed when complete, recorded last.

use std::{collections::BTreeMap, fs, io, path::Path};

use super::{
    files::{make_parents, open_to_all},
    index::{Entry, Index, boot},
    layout::Layout,
    unpack::{self, Limits},
};
use crate::{Digest, Layer, OciError};

impl Layout {
    /// Makes the folder of the bundle out of its blobs, which are all there; what is packed in
    /// them may unfold into what is `left`. Blocks.
    pub(super) fn assemble(
        &self,
        digest: Digest,
        files: &BTreeMap<String, Layer>,
        mut left: Limits,
    ) -> Result<Index, OciError> {
        let (tmp, trees) = (self.folder("tmp")?, self.folder("trees")?);
        let making =
            tempfile::TempDir::new_in(&tmp).map_err(OciError::storage("create a folder in", &tmp))?;
        let root = making.path();
        open_to_all(root)?;
        let mut digests = BTreeMap::new();
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
