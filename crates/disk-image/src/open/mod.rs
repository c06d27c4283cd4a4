//! Opens an image: reads its head and its companions (block map, checksums), and refuses what is known not to be as it must be.

pub(crate) mod blocking;
pub(crate) mod checksums;
pub(crate) mod companion_files;
pub(crate) mod companions;
pub(crate) mod local;
pub(crate) mod look;
pub(crate) mod lookup;
pub(crate) mod opened;
pub(crate) mod remote;
pub(crate) mod table_end;

use crate::bmap::BlockMap;
use crate::cache::CacheHit;
use crate::open::blocking::blocking;
use crate::open::companions::{archive_map, block_map, demanded};
use crate::open::local::{open_file, open_spool};
use crate::open::look::judge_file;
use crate::open::lookup::CacheLookup;
use crate::open::opened::Opened;
use crate::open::remote::{Object, open_brought, open_http};
use crate::source::locate::{Location, locate};
use crate::source::s3;
use crate::source::spool;
use crate::{Error, Expected, ExternalSource, SourceOptions};

/// Opens `source` and reads its companions.
pub(crate) async fn open(label: &str, source: &str, options: &SourceOptions) -> Result<Opened, Error> {
    let place = locate(source, label)?;
    let demanded = demanded(source, &place, options).await?;
    let block_map = block_map(source, &place, options).await?;
    let (expected, cache_lookup) = (options.expected, cache_lookup(block_map.as_ref(), options));
    let opened = match place {
        Location::Path(path) => open_file(label, path, expected, demanded.clone(), cache_lookup).await?,
        Location::Stdin => {
            let file = spool::stdin(options.spool.as_deref()).await?;
            open_spool(label, file, expected, demanded.clone(), cache_lookup).await?
        }
        Location::Http => {
            let object = Object { label, name: source, url: source };
            open_http(object, options, &demanded, cache_lookup).await?
        }
        Location::S3 => {
            let url = &s3::url(source, label).await?;
            let object = Object { label, name: source, url };
            open_http(object, &options.without_secrets(), &demanded, cache_lookup).await?
        }
    };
    completed(label, Opened { block_map, demanded, ..opened }, options).await
}

/// Opens a source that the caller brings.
pub(crate) async fn open_external(
    external: ExternalSource,
    options: &SourceOptions,
) -> Result<Opened, Error> {
    let label = external.label.clone();
    // Its name is no URL that something could be beside.
    let demanded = demanded(&label, &Location::Stdin, options).await?;
    let block_map = block_map(&label, &Location::Stdin, options).await?;
    let cache_lookup = cache_lookup(block_map.as_ref(), options);
    let opened = open_brought(external, options.expected, cache_lookup).await?;
    completed(&label, Opened { block_map, demanded, ..opened }, options).await
}

fn cache_lookup(block_map: Option<&BlockMap>, options: &SourceOptions) -> CacheLookup {
    CacheLookup { cache: options.cache.clone(), block_map: block_map.map(|found| found.sha256) }
}

/// Refuses what is known not to be as it must be, and finds the block map of an archive.
async fn completed(label: &str, opened: Opened, options: &SourceOptions) -> Result<Opened, Error> {
    if let (Some(found), Some(length)) = (&opened.block_map, opened.decoded_length) {
        found.check_length(label, length)?;
    }
    let opened = judged(label, opened, options.expected).await?;
    let archive_map = archive_map(label, opened.archive(), opened.block_map.as_ref(), options).await?;
    check_length(label, &opened)?;
    Ok(Opened { archive_map, ..opened })
}

/// Looks at a copy, which another job may have made for another place.
async fn judged(label: &str, opened: Opened, expected: Expected) -> Result<Opened, Error> {
    let Some(CacheHit { file, meta, .. }) = opened.hit.clone() else { return Ok(opened) };
    blocking(label, move |label, _| {
        let content = judge_file(label, expected, &file, meta.decoded_length)?;
        Ok(Opened { content, ..opened })
    })
    .await
}

/// Refuses a length that is known and not the demanded one.
fn check_length(label: &str, opened: &Opened) -> Result<(), Error> {
    match opened.source_length.zip(opened.decoded_length) {
        Some((stored, decoded)) => opened.demanded.check_length(label, stored, decoded),
        None => Ok(()),
    }
}

/// Opens what standard input held, without companions.
#[cfg(test)]
pub(crate) async fn open_standard_input(
    label: &str,
    file: std::sync::Arc<std::fs::File>,
    options: &SourceOptions,
) -> Result<Opened, Error> {
    let demanded = crate::demanded::Demanded { sha256: options.sha256, list: None, length: options.length };
    let cache_lookup = CacheLookup { cache: None, block_map: None };
    let opened = open_spool(label, file, options.expected, demanded.clone(), cache_lookup).await?;
    let opened = Opened { demanded, ..opened };
    check_length(label, &opened)?;
    Ok(opened)
}
