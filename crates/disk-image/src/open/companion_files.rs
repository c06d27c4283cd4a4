//! The files that are used because they are beside an image, and go along when the image is sent to another machine.

use std::path::{Path, PathBuf};

use crate::bmap::{self, signature};
use crate::open::checksums;
use crate::source::locate::{Location, locate};

/// Which files are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompanionKinds {
    /// The block map and its signatures.
    pub block_map: bool,
    /// Files of checksums.
    pub checksums: bool,
}

/// The file of this machine that `source` names; none when it is a URL of something else, or standard input.
pub fn local_path(source: &str) -> Option<PathBuf> {
    match locate(source, source) {
        Ok(Location::Path(path)) => Some(path),
        _ => None,
    }
}

/// The files of these kinds that are beside the image file `image`. Nothing is read.
pub async fn companion_files(image: &Path, kinds: CompanionKinds) -> Vec<PathBuf> {
    let mut all = Vec::new();
    if kinds.block_map
        && let Some(map) = bmap::beside(image).await
    {
        all.extend(signature_files(&map).await);
        all.push(map);
    }
    if kinds.checksums
        && let Some(name) = image.file_name().and_then(|name| name.to_str())
    {
        all.extend(regular(checksums::names(name).iter().map(|list| image.with_file_name(list))).await);
    }
    all.retain(|path| path != image);
    all
}

/// The signatures beside the block map file `map`.
pub async fn signature_files(map: &Path) -> Vec<PathBuf> {
    let signed = |ending: &&str| {
        let mut name = map.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    regular(signature::ENDINGS.iter().map(signed)).await
}

/// Those that are regular files.
async fn regular(paths: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in paths {
        if tokio::fs::metadata(&path).await.is_ok_and(|about| about.is_file()) {
            found.push(path);
        }
    }
    found
}
