//! Opening a source: its head and its companions (block map, checksums) are read.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use crate::bmap::BlockMap;
use crate::cache::{Cache, CacheHit, CacheSlot, Key, Meta};
use crate::companions::{Archive, archive_map, block_map, demanded};
use crate::format::{HEAD, recognise};
use crate::http::Http;
use crate::image::Origin;
use crate::local::LocalSource;
use crate::locate::{Location, locate};
use crate::options::Expected;
use crate::recognise::{WEB_PAGE_BY_SERVER, judge_file, judge_stored};
use crate::source::FileSource;
use crate::{Digest, Error, ExternalSource, Format, ImageContent, SourceOptions, checks, s3, simg, spool};

/// Stored bytes of a source far away that are looked into, if it has as many: more than the largest block of bzip2.
const AHEAD: usize = 1 << 20;

/// What is known of an image once it is open.
pub(crate) struct Opened {
    pub(crate) format: Format,
    pub(crate) source_length: Option<u64>,
    pub(crate) decoded_length: Option<u64>,
    pub(crate) origin: Origin,
    pub(crate) content: Option<ImageContent>,
    pub(crate) block_map: Option<BlockMap>,
    pub(crate) sha256: Option<Digest>,
    /// The file of checksums that says so.
    pub(crate) checksums: Option<String>,
    pub(crate) length: Option<u64>,
    /// Digest of the stored bytes, if they were read already.
    pub(crate) source_sha256: Option<Digest>,
    /// Whether only a decoding tells if the image has the demanded digest, although the source is here, or if an archive holds
    /// one image.
    pub(crate) has_open_question: bool,
    /// Whether an archive was seen in it.
    pub(crate) has_archive: bool,
    /// The block map of the archive that a copy came out of.
    pub(crate) archive_map: Option<BlockMap>,
    pub(crate) cache_slot: Option<CacheSlot>,
    pub(crate) hit: Option<CacheHit>,
}

impl Opened {
    pub(crate) fn new(
        format: Format,
        origin: Origin,
        source_length: Option<u64>,
        decoded_length: Option<u64>,
    ) -> Opened {
        Opened {
            format,
            source_length,
            decoded_length,
            origin,
            content: None,
            block_map: None,
            sha256: None,
            checksums: None,
            length: None,
            source_sha256: None,
            has_open_question: false,
            has_archive: false,
            archive_map: None,
            cache_slot: None,
            hit: None,
        }
    }

    /// A copy in the cache.
    pub(crate) fn copy(hit: CacheHit) -> Opened {
        let meta = hit.meta.clone();
        let format = meta.formats.first().copied().unwrap_or(Format::Raw);
        let origin = Origin::Spool(hit.file.clone());
        let (source_length, decoded_length) = (Some(meta.source_length), Some(meta.decoded_length));
        Opened { hit: Some(hit), ..Opened::new(format, origin, source_length, decoded_length) }
    }

    /// What is known of its archive.
    fn archive(&self) -> Archive<'_> {
        let kept = self.hit.as_ref().and_then(|hit| hit.meta.archive_map.as_ref());
        Archive { kept, is_ahead: self.has_archive }
    }

    /// Looks at a copy, which another job may have made for another place.
    async fn judged(self, label: &str, expected: Expected) -> Result<Opened, Error> {
        match self.hit.clone() {
            Some(CacheHit { file, meta, .. }) => {
                blocking(label, move |label, _| {
                    let content = judge_file(label, expected, &file, meta.decoded_length)?;
                    Ok(Opened { content, ..self })
                })
                .await
            }
            None => Ok(self),
        }
    }
}

/// Opens `source` and reads its companions.
pub(crate) async fn open(label: &str, source: &str, options: &SourceOptions) -> Result<Opened, Error> {
    let place = locate(source, label)?;
    let (sha256, list) = demanded(source, &place, options).await?;
    let block_map = block_map(source, &place, options).await?;
    let cache_lookup = CacheLookup {
        cache: options.cache.clone(),
        sha256,
        list: list.clone(),
        length: options.length,
        block_map: block_map.as_ref().map(|found| found.sha256),
    };
    let opened = match place {
        Location::Path(path) => open_file(label, path, options.expected, cache_lookup).await?,
        Location::Stdin => {
            let file = spool::stdin(options.spool.as_deref()).await?;
            open_spool(label, file, options.expected, cache_lookup).await?
        }
        Location::Http => {
            open_http(Object { label, name: source, url: source }, options, cache_lookup).await?
        }
        Location::S3 => {
            let url = &s3::url(source, label).await?;
            open_http(Object { label, name: source, url }, &options.without_secrets(), cache_lookup).await?
        }
    };
    if let (Some(found), Some(length)) = (&block_map, opened.decoded_length) {
        found.check_length(label, length)?;
    }
    let opened = opened.judged(label, options.expected).await?;
    let archive_map = archive_map(label, opened.archive(), block_map.as_ref(), options).await?;
    finish(label, Opened { block_map, archive_map, sha256, checksums: list, ..opened }, options)
}

/// Refuses a length that is known and not the demanded one.
fn finish(label: &str, opened: Opened, options: &SourceOptions) -> Result<Opened, Error> {
    let opened = Opened { length: options.length, ..opened };
    if let (Some(expected), Some(stored), Some(decoded)) =
        (opened.length, opened.source_length, opened.decoded_length)
    {
        checks::check_demanded_length(label, expected, stored, decoded)?;
    }
    Ok(opened)
}

/// Opens a source that the caller brings.
pub(crate) async fn open_external(
    external: ExternalSource,
    options: &SourceOptions,
) -> Result<Opened, Error> {
    let label = external.label.clone();
    // Its name is no URL that something could be beside.
    let (sha256, list) = demanded(&label, &Location::Stdin, options).await?;
    let block_map = block_map(&label, &Location::Stdin, options).await?;
    let map = block_map.as_ref().map(|found| found.sha256);
    let cache_lookup = CacheLookup {
        cache: options.cache.clone(),
        sha256: Some(external.sha256),
        list: None,
        length: None,
        block_map: map,
    };
    let opened = match cache_lookup.by_source(external.sha256) {
        // The promise of the name is kept beside the copy.
        Some(hit) => Opened { origin: Origin::External(external), ..Opened::copy(hit) },
        None => {
            let (_, cache_slot) = cache_lookup.by_key(Some(Key::of_bytes(external.sha256, map)), None);
            let (head, whole) = external.head(HEAD, AHEAD).await?;
            let source_length = Some(external.length);
            let (format, length) = recognised(&label, &head, source_length)?;
            let (content, has_archive) = look(&label, options.expected, head, whole, length).await?;
            Opened {
                content,
                has_archive,
                has_open_question: has_archive,
                cache_slot,
                ..Opened::new(format, Origin::External(external), source_length, length)
            }
        }
    };
    let opened = opened.judged(&label, options.expected).await?;
    let archive_map = archive_map(&label, opened.archive(), block_map.as_ref(), options).await?;
    finish(&label, Opened { block_map, archive_map, sha256, checksums: list, ..opened }, options)
}

/// The format by the head of a source, and the length of the image if they tell it.
fn recognised(label: &str, head: &[u8], length: Option<u64>) -> Result<(Format, Option<u64>), Error> {
    if head.is_empty() {
        return Err(Error::Empty { label: label.into() });
    }
    let format = recognise(label, &head[..head.len().min(HEAD)])?;
    Ok((format, if format == Format::Raw { length } else { simg::image_length(format, head) }))
}

/// The cache, and what is looked for there.
pub(crate) struct CacheLookup {
    cache: Option<Cache>,
    pub(crate) sha256: Option<Digest>,
    /// The file of checksums that says so.
    pub(crate) list: Option<String>,
    length: Option<u64>,
    block_map: Option<Digest>,
}

impl CacheLookup {
    /// A copy of what has the demanded digest, stored or decoded.
    fn by_digest(&self) -> Option<CacheHit> {
        let sha256 = self.sha256?;
        let fits = |meta: &Meta| meta.source_sha256 == sha256 || meta.decoded_sha256 == sha256;
        self.cache.as_ref()?.find_where(self.block_map, fits)
    }

    /// A copy of a source whose stored bytes have this digest.
    fn by_source(&self, sha256: Digest) -> Option<CacheHit> {
        self.cache.as_ref()?.find_where(self.block_map, |meta| meta.source_sha256 == sha256)
    }

    /// A copy of the source in the state of `key`, or else where it is to be kept. Where the stored bytes were read and have
    /// the digest `found`, a copy must be one of theirs, from whatever place.
    pub(crate) fn by_key(
        &self,
        key: Option<Key>,
        found: Option<Digest>,
    ) -> (Option<CacheHit>, Option<CacheSlot>) {
        let cache = self.cache.clone();
        let named = cache.as_ref().zip(key.as_ref()).and_then(|(cache, key)| cache.find(key));
        let hit = match found {
            Some(found) => {
                named.filter(|hit| hit.meta.source_sha256 == found).or_else(|| self.by_source(found))
            }
            None => named,
        };
        match hit {
            Some(hit) => (Some(hit), None),
            None => (None, cache.zip(key).map(|(cache, key)| CacheSlot { cache, key })),
        }
    }

    /// Whether nothing is demanded that an image cut short would not have.
    pub(crate) fn is_open_ended(&self) -> bool {
        self.sha256.is_none() && self.length.is_none()
    }
}

async fn open_file(
    label: &str,
    path: PathBuf,
    expected: Expected,
    cache_lookup: CacheLookup,
) -> Result<Opened, Error> {
    blocking(label, move |label, alive| {
        let file = FileSource::open(label, &path, None)?;
        let key = Key::of_file(&path, cache_lookup.block_map);
        let local = LocalSource { label, file, key, cache_lookup, expected, may_be_cut: false };
        local.open(|_| Origin::File(path), alive)
    })
    .await
}

async fn open_spool(
    label: &str,
    file: Arc<File>,
    expected: Expected,
    cache_lookup: CacheLookup,
) -> Result<Opened, Error> {
    blocking(label, move |label, alive| {
        let file = FileSource::of(label, file)?;
        let local = LocalSource { label, file, key: None, cache_lookup, expected, may_be_cut: true };
        local.open(Origin::Spool, alive)
    })
    .await
}

/// Opens what standard input held, without companions.
#[cfg(test)]
pub(crate) async fn open_standard_input(
    label: &str,
    file: Arc<File>,
    options: &SourceOptions,
) -> Result<Opened, Error> {
    let cache_lookup = CacheLookup {
        cache: None,
        sha256: options.sha256,
        list: None,
        length: options.length,
        block_map: None,
    };
    finish(label, open_spool(label, file, options.expected, cache_lookup).await?, options)
}

/// Works in a thread, which can see that its caller is gone.
async fn blocking<T: Send + 'static>(
    label: &str,
    work: impl FnOnce(&str, &Weak<()>) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (told, waiting) = (label.to_owned(), Arc::new(()));
    let alive = Arc::downgrade(&waiting);
    let task = tokio::task::spawn_blocking(move || work(&told, &alive));
    let done = task.await.map_err(|e| Error::Machine { label: label.into(), reason: e.to_string() })?;
    drop(waiting);
    done
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

/// An object of a server.
struct Object<'o> {
    label: &'o str,
    /// What tells it from others: a signed URL is another one every time.
    name: &'o str,
    url: &'o str,
}

async fn open_http(
    object: Object<'_>,
    options: &SourceOptions,
    cache_lookup: CacheLookup,
) -> Result<Opened, Error> {
    let Object { label, name, url } = object;
    if let Some(hit) = cache_lookup.by_digest() {
        return Ok(Opened::copy(hit)); // proven by its digest: the server need not be asked
    }
    let http = Http::new(label, url, options).await?;
    let mut answer = http.get().await?;
    if answer.is_page && options.expected != Expected::Anything {
        return Err(WEB_PAGE_BY_SERVER.error(label));
    }
    let source_length = answer.length;
    let (format, decoded_length) = recognised(label, answer.head(HEAD).await?, source_length)?;
    if format == Format::Raw && !answer.framed && cache_lookup.is_open_ended() {
        return Err(Error::Unframed { label: label.into() });
    }
    let demanded = cache_lookup.sha256.filter(|_| answer.may_be_kept);
    let key = Key::of_object(name, &http, &answer, cache_lookup.block_map)
        .or_else(|| demanded.map(|sha256| Key::of_demanded(sha256, cache_lookup.block_map)));
    let (hit, cache_slot) = cache_lookup.by_key(key, None);
    if let Some(hit) = hit {
        return Ok(Opened::copy(hit));
    }
    let origin = Origin::Http(Arc::new(http), answer.validator.clone());
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

/// Where the folder for files without a name is, if the caller does not say.
pub(crate) fn spool_folder(chosen: Option<&Path>) -> PathBuf {
    chosen.map_or_else(std::env::temp_dir, Path::to_owned)
}
