//! Opening a source: what its head tells, and what its companions (block map, checksums) say of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bmap::{self, BlockMap};
use crate::cache::{Cache, Hit, Keep, Key};
use crate::format::{HEAD, recognise};
use crate::http::Http;
use crate::image::Origin;
use crate::layer::peel;
use crate::locate::{Place, locate};
use crate::options::{BlockMapChoice, Expected};
use crate::recognise::{WEB_PAGE_BY_SERVER, judge_file, judge_layer, judge_stored};
use crate::source::{Bottom, FileSource, Source};
use crate::{Content, Digest, Error, Format, Given, SourceOptions, checksums, lengths, s3, simg, spool};

/// Stored bytes of a source far away that are looked into, if it has as many: more than the largest block of bzip2.
const AHEAD: usize = 1 << 20;

/// What opening told.
pub(crate) struct Opened {
    pub(crate) format: Format,
    pub(crate) source_length: Option<u64>,
    pub(crate) decoded_length: Option<u64>,
    pub(crate) origin: Origin,
    pub(crate) content: Option<Content>,
    pub(crate) block_map: Option<BlockMap>,
    pub(crate) sha256: Option<Digest>,
    pub(crate) keep: Option<Keep>,
    pub(crate) hit: Option<Hit>,
}

impl Opened {
    fn new(
        format: Format,
        origin: Origin,
        source_length: Option<u64>,
        decoded_length: Option<u64>,
    ) -> Opened {
        let (content, block_map, sha256, keep, hit) = (None, None, None, None, None);
        Opened { format, source_length, decoded_length, origin, content, block_map, sha256, keep, hit }
    }

    /// A copy in the cache.
    fn copy(hit: Hit) -> Opened {
        let meta = hit.meta.clone();
        let format = meta.formats.first().copied().unwrap_or(Format::Raw);
        let origin = Origin::Spool(hit.file.clone());
        let (source_length, decoded_length) = (Some(meta.source_length), Some(meta.decoded_length));
        Opened { hit: Some(hit), ..Opened::new(format, origin, source_length, decoded_length) }
    }

    /// Looks at a copy, which another job may have made for another place.
    async fn judged(self, label: &str, expected: Expected) -> Result<Opened, Error> {
        match self.hit.clone() {
            Some(Hit { file, meta, .. }) => {
                blocking(label, move |label| {
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
    let sha256 = match &options.checksums {
        Some(list) => Some(checksums::load(list, source, options).await?),
        None => options.sha256,
    };
    let block_map = block_map(source, &place, options).await?;
    let shelf = Shelf {
        cache: options.cache.clone(),
        sha256,
        block_map: block_map.as_ref().map(|found| found.sha256),
    };
    let opened = match place {
        Place::Path(path) => open_file(label, path, options.expected, shelf).await?,
        Place::Stdin => {
            open_spool(label, spool::stdin(options.spool.as_deref()).await?, options.expected).await?
        }
        Place::Http => open_http(Object { label, name: source, url: source }, options, shelf).await?,
        Place::S3 => {
            let url = &s3::url(source, label).await?;
            open_http(Object { label, name: source, url }, &options.without_secrets(), shelf).await?
        }
    };
    if let (Some(found), Some(length)) = (&block_map, opened.decoded_length) {
        found.check_length(label, length)?;
    }
    let opened = opened.judged(label, options.expected).await?;
    Ok(Opened { block_map, sha256, ..opened })
}

/// Opens a source that the caller brings.
pub(crate) async fn open_given(given: Given, options: &SourceOptions) -> Result<Opened, Error> {
    let label = given.label.clone();
    let sha256 = match &options.checksums {
        Some(list) => Some(checksums::load(list, &label, options).await?),
        None => options.sha256,
    };
    // Its name is no URL that something could be beside.
    let block_map = block_map(&label, &Place::Stdin, options).await?;
    let map = block_map.as_ref().map(|found| found.sha256);
    let shelf = Shelf { cache: options.cache.clone(), sha256: Some(given.sha256), block_map: map };
    let opened = match shelf.by_digest() {
        // The promise of the name is kept beside the copy.
        Some(hit) => Opened { origin: Origin::Given(given), ..Opened::copy(hit) },
        None => {
            let (_, keep) = shelf.by_key(Some(Key::of_bytes(given.sha256, map)));
            let (head, whole) = given.head(HEAD, AHEAD).await?;
            let source_length = Some(given.length);
            let (format, length) = recognised(&label, &head, source_length)?;
            let content = look(&label, options.expected, head, whole, length).await?;
            Opened { content, keep, ..Opened::new(format, Origin::Given(given), source_length, length) }
        }
    };
    let opened = opened.judged(&label, options.expected).await?;
    Ok(Opened { block_map, sha256, ..opened })
}

/// The format by the head of a source, and the length of the image if they tell it.
fn recognised(label: &str, head: &[u8], length: Option<u64>) -> Result<(Format, Option<u64>), Error> {
    if head.is_empty() {
        return Err(Error::Empty { label: label.into() });
    }
    let format = recognise(label, &head[..head.len().min(HEAD)])?;
    Ok((format, if format == Format::Raw { length } else { simg::image_length(format, head) }))
}

async fn block_map(source: &str, place: &Place, options: &SourceOptions) -> Result<Option<BlockMap>, Error> {
    let found = match (&options.block_map, place) {
        (BlockMapChoice::At(named), _) => Some(named.clone()),
        (BlockMapChoice::Beside, Place::Path(path)) => {
            bmap::beside(path).await.and_then(|path| path.into_os_string().into_string().ok())
        }
        (BlockMapChoice::Beside, Place::Http) => return bmap::load_beside(source, options).await,
        _ => None,
    };
    match found {
        Some(named) => bmap::load(&named, source, options).await.map(Some),
        None => Ok(None),
    }
}

/// The cache, and what is looked for there.
struct Shelf {
    cache: Option<Cache>,
    sha256: Option<Digest>,
    block_map: Option<Digest>,
}

impl Shelf {
    /// A copy of what has the demanded digest.
    fn by_digest(&self) -> Option<Hit> {
        self.cache.as_ref()?.find_digest(self.sha256?, self.block_map)
    }

    /// A copy of the source, or else where it is to be kept.
    fn by_key(&self, key: Option<Key>) -> (Option<Hit>, Option<Keep>) {
        let Some((cache, key)) = self.cache.clone().zip(key) else { return (None, None) };
        match cache.find(&key) {
            Some(hit) => (Some(hit), None),
            None => (None, Some(Keep { cache, key })),
        }
    }
}

async fn open_file(label: &str, path: PathBuf, expected: Expected, shelf: Shelf) -> Result<Opened, Error> {
    blocking(label, move |label| {
        let file = FileSource::open(label, &path, None)?;
        let (hit, keep) = shelf.by_key(Key::of_file(&path, shelf.block_map));
        if let Some(hit) = hit.or_else(|| shelf.by_digest()) {
            return Ok(Opened::copy(hit));
        }
        let opened = probe(label, file, expected, |_| Origin::File(path))?;
        // A copy of a raw file would be no better than the file.
        let keep = keep.filter(|_| opened.format != Format::Raw);
        Ok(Opened { keep, ..opened })
    })
    .await
}

async fn open_spool(label: &str, file: Arc<File>, expected: Expected) -> Result<Opened, Error> {
    blocking(label, move |label| probe(label, FileSource::of(label, file)?, expected, Origin::Spool)).await
}

async fn blocking<T: Send + 'static>(
    label: &str,
    work: impl FnOnce(&str) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let told = label.to_owned();
    let task = tokio::task::spawn_blocking(move || work(&told));
    task.await.map_err(|e| Error::Machine { label: label.into(), reason: e.to_string() })?
}

/// Looks into the first stored bytes of a source that is far away.
async fn look(
    label: &str,
    expected: Expected,
    head: Vec<u8>,
    whole: bool,
    length: Option<u64>,
) -> Result<Option<Content>, Error> {
    blocking(label, move |label| judge_stored(label, expected, head, whole, length)).await
}

/// Looks through all wrappings of a file, and at what is in them.
fn probe(
    label: &str,
    file: FileSource,
    expected: Expected,
    origin: impl FnOnce(Arc<File>) -> Origin,
) -> Result<Opened, Error> {
    let (length, handle) = (file.length(), file.handle());
    if length == 0 {
        return Err(Error::Empty { label: label.into() });
    }
    let mut peeled = peel(label, Box::new(Bottom::new(Source::File(file))))?;
    let format = peeled.formats.first().copied().unwrap_or(Format::Raw);
    let decoded_length = match peeled.formats.len() {
        0 | 1 => lengths::decoded(format, &handle, length),
        _ => peeled.length,
    };
    let content = match format {
        Format::Raw => judge_file(label, expected, &handle, length)?,
        _ => judge_layer(label, expected, peeled.top.as_mut(), decoded_length)?,
    };
    Ok(Opened { content, ..Opened::new(format, origin(handle), Some(length), decoded_length) })
}

/// An object of a server.
struct Object<'o> {
    label: &'o str,
    /// What tells it from others: a signed URL is another one every time.
    name: &'o str,
    url: &'o str,
}

async fn open_http(object: Object<'_>, options: &SourceOptions, shelf: Shelf) -> Result<Opened, Error> {
    let Object { label, name, url } = object;
    if let Some(hit) = shelf.by_digest() {
        return Ok(Opened::copy(hit)); // proven by its digest: the server need not be asked
    }
    let http = Http::new(label, url, options).await?;
    let mut answer = http.get().await?;
    if answer.is_page && options.expected != Expected::Anything {
        return Err(WEB_PAGE_BY_SERVER.error(label));
    }
    let source_length = answer.length;
    let (format, decoded_length) = recognised(label, answer.head(HEAD).await?, source_length)?;
    if format == Format::Raw && !answer.framed && shelf.sha256.is_none() {
        return Err(Error::Unframed { label: label.into() });
    }
    let (hit, keep) = shelf.by_key(Key::of_object(name, source_length, &answer.validator, shelf.block_map));
    if let Some(hit) = hit {
        return Ok(Opened::copy(hit));
    }
    let origin = Origin::Http(Arc::new(http), answer.validator.clone());
    let (head, whole) = answer.look(AHEAD).await;
    let content = look(label, options.expected, head, whole, decoded_length).await?;
    Ok(Opened { content, keep, ..Opened::new(format, origin, source_length, decoded_length) })
}

/// Where the folder for files without a name is, if the caller does not say.
pub(crate) fn spool_folder(chosen: Option<&Path>) -> PathBuf {
    chosen.map_or_else(std::env::temp_dir, Path::to_owned)
}
