//! Block maps that lie beside the image in its archive, with their signatures.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::archive_map::{ArchiveMap, LONGEST, Signature};

/// Endings of what is kept: block maps, and their signatures as `gpg --detach-sign` names them.
const ENDINGS: [&str; 3] = [".bmap", ".bmap.asc", ".bmap.sig"];

/// What archives hold beside their image that may be its block map. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ArchiveMaps(Arc<Mutex<Members>>);

#[derive(Debug, Default)]
struct Members {
    /// The image of each archive, the innermost last.
    images: Vec<String>,
    kept: Vec<(String, Vec<u8>)>,
    /// Bytes of what is kept.
    length: u64,
}

impl ArchiveMaps {
    /// Whether a member of this name is kept.
    pub(super) fn wants(name: &[u8]) -> bool {
        ENDINGS.iter().any(|ending| name.ends_with(ending.as_bytes()))
    }

    /// Makes room for `length` bytes more; false when no block map is that long.
    pub(super) fn reserve(&self, length: u64) -> bool {
        let mut members = self.members();
        members.length = members.length.saturating_add(length);
        members.length <= LONGEST
    }

    /// Keeps a member, for which there is room.
    pub(super) fn keep(&self, name: &[u8], bytes: Vec<u8>) {
        self.members().kept.push((plain(name), bytes));
    }

    /// Notes which member is the image.
    pub(super) fn image(&self, name: &[u8]) {
        self.members().images.push(plain(name));
    }

    /// The block map that belongs to the image by its name, as beside a file: `os.img.xz.bmap`, `os.img.bmap` or `os.bmap`
    /// for `os.img.xz`.
    pub(crate) fn beside_image(&self) -> Option<ArchiveMap> {
        let members = self.members();
        let find = |name: &str| members.kept.iter().find(|(own, _)| own == name).map(|(_, bytes)| bytes);
        let names = members.images.iter().rev().flat_map(|image| names(image));
        let (name, map) = names.into_iter().find_map(|name| find(&name).map(|map| (name, map.clone())))?;
        let signature = ["asc", "sig"].iter().find_map(|ending| find(&format!("{name}.{ending}")));
        Some(ArchiveMap { signature: signature.cloned().map(Signature), name, map })
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path as it is compared: `./os.img` is `os.img`.
fn plain(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name).into_owned();
    name.strip_prefix("./").map(str::to_owned).unwrap_or(name)
}

/// Names of a block map of `image`.
fn names(image: &str) -> Vec<String> {
    let (folder, mut stem) = match image.rfind('/') {
        Some(at) => image.split_at(at + 1),
        None => ("", image),
    };
    let mut all = Vec::new();
    while !stem.is_empty() {
        all.push(format!("{folder}{stem}.bmap"));
        stem = stem.rsplit_once('.').map_or("", |(stem, _)| stem);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_of_the_image_by_its_name() {
        for (image, kept, found) in [
            ("os.img.xz", vec!["os.bmap", "os.img.bmap", "os.img.xz.bmap"], Some("os.img.xz.bmap")),
            ("os.img.xz", vec!["os.bmap", "os.img.bmap"], Some("os.img.bmap")),
            ("./os.img", vec!["os.bmap"], Some("os.bmap")),
            ("d.1/os.img", vec!["os.bmap", "d.1/os.bmap", "d.bmap"], Some("d.1/os.bmap")),
            ("d/os.img", vec!["os.bmap", "d.bmap"], None),
            ("os.img", vec!["other.bmap"], None),
        ] {
            let maps = ArchiveMaps::default();
            maps.image(image.as_bytes());
            kept.iter().for_each(|name| maps.keep(name.as_bytes(), name.as_bytes().to_vec()));
            let map = maps.beside_image();
            assert_eq!(map.as_ref().map(|map| map.name.as_str()), found, "{image}");
        }
    }

    #[test]
    fn a_signature_goes_with_its_map() {
        let maps = ArchiveMaps::default();
        maps.image(b"os.img");
        for (name, bytes) in [("os.bmap", "map"), ("os.bmap.sig", "signed"), ("x.bmap.asc", "other")] {
            assert!(ArchiveMaps::wants(name.as_bytes()), "{name}");
            maps.keep(name.as_bytes(), bytes.into());
        }
        let map = maps.beside_image().unwrap();
        assert_eq!(map.signature, Some(Signature(b"signed".to_vec())));
        let text = serde_json::to_string(&map).unwrap();
        assert_eq!(serde_json::from_str::<ArchiveMap>(&text).unwrap(), map, "{text}");
    }

    #[test]
    fn more_than_any_map_has_is_refused() {
        let maps = ArchiveMaps::default();
        assert!(maps.reserve(LONGEST));
        assert!(!maps.reserve(1));
        assert!(!maps.reserve(u64::MAX));
    }
}
