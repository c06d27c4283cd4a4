//! Finds and reads a block map: the one that was named, or the one beside the image.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Url;

use super::map::BlockMap;
use super::{parse, signature};
use crate::archive_map::{ArchiveMap, LONGEST};
use crate::source::label;
use crate::source::small;
use crate::{Digest, Error, SourceOptions};

/// Names that a server is asked for, at most: `os.img.xz.bmap`, `os.img.bmap` and `os.bmap` for `os.img.xz`.
const GUESSES: usize = 3;

/// Reads the block map at `place`, a path or URL, for the image `source`.
pub(crate) async fn load(place: &str, source: &str, options: &SourceOptions) -> Result<BlockMap, Error> {
    match small::read(place, source, options, LONGEST).await {
        // What is missing is not the image.
        Err(Error::Missing { label }) => {
            Err(Error::Map { map: label, reason: "there is no such file".into() })
        }
        read => made(place, source, read?, options).await,
    }
}

/// The block map beside an image on a server, if there is one, under the names that [`beside`] looks for. A URL with a
/// query is signed or computed: what would be beside it is unknown.
pub(crate) async fn load_beside(url: &str, options: &SourceOptions) -> Result<Option<BlockMap>, Error> {
    // A server with a fault is reported by the image's own request, which also retries.
    let once = SourceOptions { retries: Some(0), ..options.clone() };
    for place in guesses(url) {
        match small::read(&place, url, &once, LONGEST).await {
            Ok(bytes) if parse::is_map(&bytes) => return made(&place, url, bytes, options).await.map(Some),
            // Some servers have a page of words for whatever they have not.
            Ok(_) | Err(Error::NotFound { .. } | Error::Unauthorized { .. } | Error::Status { .. }) => {}
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

/// The block map out of the archive `label`, signed by a key of `keyring` when that is given.
pub(crate) async fn of_archive(
    found: &ArchiveMap,
    label: &str,
    keyring: Option<&Path>,
) -> Result<BlockMap, Error> {
    let label = format!("{} in {label}", found.name);
    if let Some(keyring) = keyring {
        let unsigned = || Error::MapUnsigned { map: label.clone() };
        let signature = found.signature.as_ref().ok_or_else(unsigned)?;
        signature::must_be_of(&found.map, &signature.0, &label, keyring).await?;
    }
    parsed(label, &found.map)
}

async fn made(place: &str, source: &str, bytes: Vec<u8>, options: &SourceOptions) -> Result<BlockMap, Error> {
    let label = label::redact(place);
    if let Some(keyring) = &options.map_keyring {
        signature::check(&bytes, place, source, options, keyring).await?;
    }
    parsed(label, &bytes)
}

fn parsed(label: String, bytes: &[u8]) -> Result<BlockMap, Error> {
    let map = parse::parse(bytes).map_err(|reason| Error::Map { map: label.clone(), reason })?;
    Ok(BlockMap { label, map: Arc::new(map), sha256: Digest::of(bytes) })
}

/// Where a block map of the image at `url` may be.
fn guesses(url: &str) -> Vec<String> {
    let plain = Url::parse(url).ok().filter(|url| url.query().is_none() && url.fragment().is_none());
    let Some((folder, mut stem)) = plain.as_ref().and(url.rsplit_once('/')) else { return Vec::new() };
    let mut all = Vec::new();
    while !stem.is_empty() && all.len() < GUESSES {
        all.push(format!("{folder}/{stem}.bmap"));
        stem = stem.rsplit_once('.').map_or("", |(stem, _)| stem);
    }
    all
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_looked_for_beside_an_image() {
        for (url, places) in [
            (
                "http://h/a/os.img.xz",
                vec!["http://h/a/os.img.xz.bmap", "http://h/a/os.img.bmap", "http://h/a/os.bmap"],
            ),
            ("http://h/os", vec!["http://h/os.bmap"]),
            (
                "http://h/a.b.c.d.e",
                vec!["http://h/a.b.c.d.e.bmap", "http://h/a.b.c.d.bmap", "http://h/a.b.c.bmap"],
            ),
            ("http://h/a/", vec![]),
            ("http://h/os.img?X-Signature=1", vec![]),
            ("http://h/os.img#part", vec![]),
            ("os.img", vec![]),
        ] {
            assert_eq!(guesses(url), places, "{url}");
        }
    }
}
