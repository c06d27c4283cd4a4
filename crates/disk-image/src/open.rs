//! Opening a source: what its head tells, and what its companions (block map, checksums) say of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bmap::{self, BlockMap};
use crate::format::{HEAD, recognise};
use crate::http::Http;
use crate::image::Origin;
use crate::layer::peel;
use crate::locate::{Place, locate};
use crate::options::BlockMapChoice;
use crate::source::{Bottom, FileSource, Source};
use crate::{Digest, Error, Format, SourceOptions, checksums, lengths, simg, spool};

/// What opening told.
pub(crate) struct Opened {
    pub(crate) format: Format,
    pub(crate) source_length: Option<u64>,
    pub(crate) decoded_length: Option<u64>,
    pub(crate) origin: Origin,
    pub(crate) block_map: Option<BlockMap>,
    pub(crate) sha256: Option<Digest>,
}

/// Opens `source` and reads its companions.
pub(crate) async fn open(label: &str, source: &str, options: &SourceOptions) -> Result<Opened, Error> {
    let place = locate(source, label)?;
    let sha256 = match &options.checksums {
        Some(list) => Some(checksums::load(list, source, options).await?),
        None => options.sha256,
    };
    let block_map = block_map(source, &place, options).await?;
    let opened = match place {
        Place::Path(path) => open_file(label, path).await?,
        Place::Stdin => open_spool(label, spool::stdin(options.spool.as_deref()).await?).await?,
        Place::Http => open_http(label, source, options, sha256).await?,
    };
    if let (Some(found), Some(length)) = (&block_map, opened.decoded_length) {
        found.check_length(label, length)?;
    }
    Ok(Opened { block_map, sha256, ..opened })
}

async fn block_map(source: &str, place: &Place, options: &SourceOptions) -> Result<Option<BlockMap>, Error> {
    let found = match (&options.block_map, place) {
        (BlockMapChoice::At(named), _) => Some(named.clone()),
        (BlockMapChoice::Beside, Place::Path(path)) => {
            bmap::beside(path).await.and_then(|path| path.into_os_string().into_string().ok())
        }
        _ => None,
    };
    match found {
        Some(named) => bmap::load(&named, source, options).await.map(Some),
        None => Ok(None),
    }
}

async fn open_file(label: &str, path: PathBuf) -> Result<Opened, Error> {
    blocking(label, move |label| {
        let file = FileSource::open(label, &path, None)?;
        probe(label, file, |_| Origin::File(path))
    })
    .await
}

async fn open_spool(label: &str, file: Arc<File>) -> Result<Opened, Error> {
    blocking(label, move |label| probe(label, FileSource::of(label, file)?, Origin::Spool)).await
}

async fn blocking(
    label: &str,
    work: impl FnOnce(&str) -> Result<Opened, Error> + Send + 'static,
) -> Result<Opened, Error> {
    let told = label.to_owned();
    let task = tokio::task::spawn_blocking(move || work(&told));
    task.await.map_err(|e| Error::Machine { label: label.into(), reason: e.to_string() })?
}

/// Looks through all wrappings of a file.
fn probe(label: &str, file: FileSource, origin: impl FnOnce(Arc<File>) -> Origin) -> Result<Opened, Error> {
    let (length, handle) = (file.length(), file.handle());
    if length == 0 {
        return Err(Error::Empty { label: label.into() });
    }
    let peeled = peel(label, Box::new(Bottom::new(Source::File(file), false)))?;
    let format = peeled.formats.first().copied().unwrap_or(Format::Raw);
    let decoded_length = match peeled.formats.len() {
        0 | 1 => lengths::decoded(format, &handle, length),
        _ => peeled.length,
    };
    let (source_length, origin) = (Some(length), origin(handle));
    Ok(Opened { format, source_length, decoded_length, origin, block_map: None, sha256: None })
}

async fn open_http(
    label: &str,
    url: &str,
    options: &SourceOptions,
    sha256: Option<Digest>,
) -> Result<Opened, Error> {
    let http = Http::new(label, url, options).await?;
    let mut answer = http.get().await?;
    let head = answer.head(HEAD).await?;
    if head.is_empty() {
        return Err(Error::Empty { label: label.into() });
    }
    let format = recognise(label, &head)?;
    if format == Format::Raw && !answer.framed && sha256.is_none() {
        return Err(Error::Unframed { label: label.into() });
    }
    let source_length = answer.length;
    let decoded_length = match format {
        Format::Raw => source_length,
        _ => simg::image_length(format, &head),
    };
    let origin = Origin::Http(Arc::new(http), answer.validator);
    Ok(Opened { format, source_length, decoded_length, origin, block_map: None, sha256: None })
}

/// Where the folder for files without a name is, if the caller does not say.
pub(crate) fn spool_folder(chosen: Option<&Path>) -> PathBuf {
    chosen.map_or_else(std::env::temp_dir, Path::to_owned)
}
