//! What is beside an image: its digest and its block map, to be used here or sent along to where it is decoded.

use crate::archive_map::{ArchiveMap, LONGEST};
use crate::bmap::{self, BlockMap};
use crate::demanded::Demanded;
use crate::open::checksums;
use crate::options::BlockMapChoice;
use crate::source::label::redact;
use crate::source::locate::{Location, locate};
use crate::source::small;
use crate::{Digest, Error, SourceOptions};

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
/// the caller that fetches the image looks beside it.
///
/// # Errors
/// A companion cannot be read or used; a block map is not signed as demanded, or there is none to look at.
pub async fn companions(source: &str, options: &SourceOptions) -> Result<Companions, Error> {
    let shown = redact(source);
    let place = match locate(source, &shown)? {
        Location::Path(path) => Location::Path(path),
        // Nothing is looked for beside that.
        _ => Location::Stdin,
    };
    let Demanded { sha256, list: checksums, .. } = demanded(source, &place, options).await?;
    let block_map = match block_map_place(&place, options).await {
        Some(at) => Some(block_map_file(&at, source, options).await?),
        None => None,
    };
    match (&block_map, &options.map_keyring) {
        (None, Some(keyring)) => Err(Error::MapAbsent { label: shown, keyring: keyring.clone() }),
        _ => Ok(Companions { sha256, checksums, block_map }),
    }
}

async fn block_map_file(at: &str, source: &str, options: &SourceOptions) -> Result<BlockMapFile, Error> {
    let checked = bmap::load(at, source, options).await?;
    let bytes = small::read(at, source, options, LONGEST).await?;
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
