//! What is beside an image that another machine will decode: its digest and its block map, to be sent along.

use crate::locate::{Location, locate};
use crate::open::{block_map_place, demanded};
use crate::{Digest, Error, SourceOptions, bmap, label, small};

/// What was found for an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Companions {
    /// The digest that the source or the decoded image must have.
    pub sha256: Option<Digest>,
    /// The file of checksums that says so, without secrets; none when the caller does.
    pub checksums: Option<String>,
    /// Its block map.
    pub block_map: Option<BlockMapFile>,
}

/// A block map that can be used, and signed as demanded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockMapFile {
    /// Where it was, without secrets.
    pub label: String,
    /// The last part of that.
    pub name: String,
    /// The file.
    pub text: String,
}

/// Finds what `options` say of the image `source`. Beside a file everything is looked for; of a URL only what was named, as
/// whoever fetches the image looks beside it.
///
/// # Errors
/// A companion cannot be read or used; a block map is not signed as demanded, or there is none to look at.
pub async fn companions(source: &str, options: &SourceOptions) -> Result<Companions, Error> {
    let shown = label::redact(source);
    let place = match locate(source, &shown)? {
        Location::Path(path) => Location::Path(path),
        // Nothing is looked for beside that.
        _ => Location::Stdin,
    };
    let (sha256, checksums) = demanded(source, &place, options).await?;
    let block_map = match block_map_place(&place, options).await {
        Some(at) => Some(block_map(&at, source, options).await?),
        None => None,
    };
    match (&block_map, &options.map_keyring) {
        (None, Some(keyring)) => Err(Error::MapAbsent { label: shown, keyring: keyring.clone() }),
        _ => Ok(Companions { sha256, checksums, block_map }),
    }
}

async fn block_map(at: &str, source: &str, options: &SourceOptions) -> Result<BlockMapFile, Error> {
    let checked = bmap::load(at, source, options).await?;
    let bytes = small::read(at, source, options, bmap::LONGEST).await?;
    let label = checked.label;
    if Digest::of(&bytes) != checked.sha256 {
        let (before, now) = ("another file".into(), "changed".into());
        return Err(Error::Changed { label, before, now });
    }
    let text = String::from_utf8(bytes).map_err(|e| Error::Map { map: label.clone(), reason: e.to_string() });
    let path = label.split('?').next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(BlockMapFile { name, text: text?, label })
}
