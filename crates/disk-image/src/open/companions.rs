//! What is beside an image: its digest and its block map.

use crate::archive_map::ArchiveMap;
use crate::bmap::{self, BlockMap};
use crate::demanded::Demanded;
use crate::open::checksums;
use crate::options::BlockMapChoice;
use crate::source::label::redact;
use crate::source::locate::Location;
use crate::{Error, SourceOptions};

/// What the image must have: as the caller says, or a file of checksums.
pub(crate) async fn demanded(
    source: &str,
    place: &Location,
    options: &SourceOptions,
) -> Result<Demanded, Error> {
    let found = match (&options.checksums, options.sha256) {
        (Some(list), _) => Some((checksums::load(list, source, options).await?, redact(list))),
        (None, None) if options.checksums_beside => match place {
            Location::Path(path) => checksums::beside(path, options).await?,
            Location::Http => checksums::beside_url(source, options).await,
            Location::S3 | Location::Stdin => None,
        },
        (None, sha256) => return Ok(Demanded { sha256, list: None, length: options.length }),
    };
    let (sha256, list) = found.unzip();
    Ok(Demanded { sha256, list, length: options.length })
}

/// What is known of the archive that an image is in.
pub(crate) struct Archive<'a> {
    /// The block map of the one that a copy came out of.
    pub(crate) kept: Option<&'a ArchiveMap>,
    /// Whether there is one that is not decoded yet.
    pub(crate) is_ahead: bool,
}

/// The block map beside the image in the archive that a copy came out of, when none was found elsewhere and the one beside the
/// image is to be used. What an archive holds that is not decoded yet shows then.
///
/// # Errors
/// A signature is demanded, and there is no block map that it could be of.
pub(crate) async fn archive_map(
    label: &str,
    archive: Archive<'_>,
    found: Option<&BlockMap>,
    options: &SourceOptions,
) -> Result<Option<BlockMap>, Error> {
    let is_wanted = found.is_none() && options.block_map == BlockMapChoice::Beside;
    let kept = archive.kept.filter(|_| is_wanted);
    match (kept, &options.map_keyring) {
        (Some(kept), keyring) => bmap::of_archive(kept, label, keyring.as_deref()).await.map(Some),
        (None, Some(keyring)) if found.is_none() && !(is_wanted && archive.is_ahead) => {
            Err(Error::MapAbsent { label: label.into(), keyring: keyring.clone() })
        }
        (None, _) => Ok(None),
    }
}

/// The block map that was named, or that is beside the image.
pub(crate) async fn block_map(
    source: &str,
    place: &Location,
    options: &SourceOptions,
) -> Result<Option<BlockMap>, Error> {
    if let (BlockMapChoice::Beside, Location::Http) = (&options.block_map, place) {
        return bmap::load_beside(source, options).await;
    }
    match block_map_place(place, options).await {
        Some(named) => bmap::load(&named, source, options).await.map(Some),
        None => Ok(None),
    }
}

/// Where the block map is that was named, or that is beside a file.
async fn block_map_place(place: &Location, options: &SourceOptions) -> Option<String> {
    match (&options.block_map, place) {
        (BlockMapChoice::At(named), _) => Some(named.clone()),
        (BlockMapChoice::Beside, Location::Path(path)) => {
            bmap::beside(path).await.and_then(|path| path.into_os_string().into_string().ok())
        }
        _ => None,
    }
}
