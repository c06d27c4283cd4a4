//! Opens sources that are far away: objects of a server, and what the caller brings.

use std::sync::Arc;

use crate::cache::{Key, ObjectVersion};
use crate::decode::magic::{HEAD, recognise};
use crate::decode::simg;
use crate::demanded::Demanded;
use crate::open::blocking::blocking;
use crate::open::look::judge_stored;
use crate::open::lookup::CacheLookup;
use crate::open::opened::Opened;
use crate::recognise::WEB_PAGE_BY_SERVER;
use crate::source::http::{Http, SourceResponse};
use crate::source::origin::Origin;
use crate::{Digest, Error, Expected, ExternalSource, Format, ImageContent, SourceOptions};

/// Stored bytes of a source far away that are looked into, if it has as many: more than the largest block of bzip2.
const AHEAD: usize = 1 << 20;

/// An object of a server.
pub(crate) struct Object<'o> {
    pub(crate) label: &'o str,
    /// What tells it from others: a signed URL is another one every time.
    pub(crate) name: &'o str,
    pub(crate) url: &'o str,
}

/// Asks the server for it, unless the cache has it.
pub(crate) async fn open_http(
    object: Object<'_>,
    options: &SourceOptions,
    demanded: &Demanded,
    cache_lookup: CacheLookup,
) -> Result<Opened, Error> {
    let Object { label, name, url } = object;
    if let Some(hit) = demanded.sha256.and_then(|sha256| cache_lookup.by_digest(sha256)) {
        return Ok(Opened::copy(hit)); // proven by its digest: the server need not be asked
    }
    let http = Http::new(label, url, options).await?;
    let mut answer = http.get().await?;
    if answer.is_page && options.expected != Expected::Anything {
        return Err(WEB_PAGE_BY_SERVER.error(label));
    }
    let source_length = answer.length;
    let (format, decoded_length) = recognised(label, answer.head(HEAD).await?, source_length)?;
    if format == Format::Raw && !answer.framed && demanded.is_open_ended() {
        return Err(Error::Unframed { label: label.into() });
    }
    let key = key(name, &http, &answer, demanded, cache_lookup.block_map);
    let (hit, cache_slot) = cache_lookup.by_key(key, None);
    let origin = Origin::Http(Arc::new(http), answer.validator.clone());
    if let Some(hit) = hit {
        return Ok(Opened { origin, ..Opened::copy(hit) });
    }
    let (head, whole) = answer.look(AHEAD).await;
    let (content, has_archive) = look(label, options.expected, head, whole, decoded_length).await?;
    Ok(Opened {
        content,
        has_archive,
        has_open_question: has_archive,
        cache_slot,
        ..Opened::new(format, origin, source_length, decoded_length)
    })
}

/// What the object is found by in the cache: its version, or else the demanded digest; none if the server does not want it kept.
fn key(
    name: &str,
    http: &Http,
    answer: &SourceResponse,
    demanded: &Demanded,
    block_map: Option<Digest>,
) -> Option<Key> {
    if !answer.may_be_kept {
        return None;
    }
    match answer.validator.tag() {
        Some(tag) => {
            let (asker, place, length) = (http.asker(), answer.place.as_str(), answer.length);
            Some(Key::of_object(&ObjectVersion { name, asker, place, tag, length }, block_map))
        }
        None => demanded.sha256.map(|sha256| Key::of_demanded(sha256, block_map)),
    }
}

/// Opens a source that the caller brings, unless the cache has it.
pub(crate) async fn open_brought(
    external: ExternalSource,
    expected: Expected,
    cache_lookup: CacheLookup,
) -> Result<Opened, Error> {
    if let Some(hit) = cache_lookup.by_source(external.sha256) {
        // The promise of the name is kept beside the copy.
        return Ok(Opened { origin: Origin::External(external), ..Opened::copy(hit) });
    }
    let key = Key::of_bytes(external.sha256, cache_lookup.block_map);
    let (_, cache_slot) = cache_lookup.by_key(Some(key), None);
    let (head, whole) = external.head(HEAD, AHEAD).await?;
    let (label, source_length) = (external.label.clone(), Some(external.length));
    let (format, length) = recognised(&label, &head, source_length)?;
    let (content, has_archive) = look(&label, expected, head, whole, length).await?;
    Ok(Opened {
        content,
        has_archive,
        has_open_question: has_archive,
        cache_slot,
        ..Opened::new(format, Origin::External(external), source_length, length)
    })
}

/// The format by the head of a source, and the length of the image if they tell it.
fn recognised(label: &str, head: &[u8], length: Option<u64>) -> Result<(Format, Option<u64>), Error> {
    if head.is_empty() {
        return Err(Error::Empty { label: label.into() });
    }
    let format = recognise(label, &head[..head.len().min(HEAD)])?;
    Ok((format, if format == Format::Raw { length } else { simg::image_length(format, head) }))
}

/// Looks into the first stored bytes of a source that is far away; also tells whether there is an archive in it.
async fn look(
    label: &str,
    expected: Expected,
    head: Vec<u8>,
    whole: bool,
    length: Option<u64>,
) -> Result<(Option<ImageContent>, bool), Error> {
    blocking(label, move |label, _| judge_stored(label, expected, head, whole, length)).await
}
