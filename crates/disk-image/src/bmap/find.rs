//! Finds and reads a block map: the one that was named, or the one beside the image.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{BlockMap, parse};
use crate::small;
use crate::{Digest, Error, SourceOptions, label};

/// Longest block map that is read, in bytes; one of 100 000 ranges has about 10 MB.
const LONGEST: u64 = 32 << 20;

/// Reads the block map at `place`, a path or URL, for the image `source`.
pub(crate) async fn load(place: &str, source: &str, options: &SourceOptions) -> Result<BlockMap, Error> {
    let label = label::redact(place);
    let bytes = small::read(place, source, options, LONGEST).await?;
    let map = parse::parse(&bytes).map_err(|reason| Error::Map { map: label.clone(), reason })?;
    Ok(BlockMap { label, map: Arc::new(map), sha256: Digest::of(&bytes) })
}

/// The block map beside an image file, if there is one: its name with `.bmap` behind it or in place of its endings.
pub(crate) async fn beside(image: &Path) -> Option<PathBuf> {
    let mut stem = image.to_owned();
    loop {
        let mut name = stem.file_name()?.to_owned();
        name.push(".bmap");
        let candidate = stem.with_file_name(name);
        if tokio::fs::metadata(&candidate).await.is_ok_and(|data| data.is_file()) {
            return Some(candidate);
        }
        stem.extension()?;
        stem.set_extension("");
    }
}
