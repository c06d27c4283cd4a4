//! An opened image: what its head tells, and the way to decode it as often as needed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use reqwest::Url;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::format::{HEAD, recognise};
use crate::http::{Body, Http};
use crate::layer::peel;
use crate::source::{Bottom, FileSource, Source};
use crate::{Decoding, Digest, Error, Format, SourceOptions, label, lengths, simg, worker};

/// Pieces between the decoding thread and its consumer.
const QUEUE: usize = 2;

/// An image source that was there and readable when it was opened. Clones share it.
#[derive(Clone)]
pub struct Image {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) label: String,
    pub(crate) format: Format,
    source_length: Option<u64>,
    pub(crate) decoded_length: Option<u64>,
    origin: Origin,
    pub(crate) sha256: Option<Digest>,
    /// Digest of the source as decoded first.
    pub(crate) source_sha256: OnceLock<Digest>,
    runtime: Handle,
}

enum Origin {
    File(PathBuf),
    Http(Arc<Http>),
}

/// What opening told.
struct Opened {
    format: Format,
    source_length: Option<u64>,
    decoded_length: Option<u64>,
    origin: Origin,
}

impl Image {
    /// Opens `source`, a path, `file://`, `http://` or `https://` URL, reads its head and recognises its format.
    /// Must be called within a tokio runtime, which later also runs the decodings.
    ///
    /// # Errors
    ///
    /// The source is missing, empty, out of reach, forbidden or nothing that can be written as a disk image.
    pub async fn open(source: &str, options: SourceOptions) -> Result<Image, Error> {
        let label = label::redact(source);
        let opened = match locate(source, &label)? {
            Place::Path(path) => open_file(&label, path).await?,
            Place::Http => open_http(&label, source, &options).await?,
        };
        let Opened { format, source_length, decoded_length, origin } = opened;
        let (sha256, source_sha256, runtime) = (options.sha256, OnceLock::new(), Handle::current());
        let inner =
            Inner { label, format, source_length, decoded_length, origin, sha256, source_sha256, runtime };
        Ok(Image { inner: Arc::new(inner) })
    }

    /// The source for messages and receipts: without user information, query values and fragment.
    pub fn label(&self) -> &str {
        &self.inner.label
    }

    /// How the image is stored.
    pub fn format(&self) -> Format {
        self.inner.format
    }

    /// Length of the source as stored, in bytes, if its server tells it.
    pub fn source_length(&self) -> Option<u64> {
        self.inner.source_length
    }

    /// Length of the decoded image, in bytes, if the source tells it: raw ones do, of the others xz and zstd files may.
    pub fn decoded_length(&self) -> Option<u64> {
        self.inner.decoded_length
    }

    /// Starts decoding from the beginning. Each decoding must find the source that the first one found.
    pub fn decode(&self) -> Decoding {
        let (sender, events) = mpsc::channel(QUEUE);
        let image = self.inner.clone();
        let (body, transfer) = match &self.inner.origin {
            Origin::File(_) => (None, None),
            Origin::Http(http) => {
                let (body, transfer) = Body::start(&image.runtime, http.clone(), image.source_length);
                (Some(body), Some(transfer))
            }
        };
        let runtime = image.runtime.clone();
        runtime.spawn_blocking(move || worker::run(&image, source(&image, body), &sender));
        Decoding::new(self.inner.label.clone(), events, transfer)
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("label", &self.inner.label)
            .field("format", &self.inner.format)
            .field("source_length", &self.inner.source_length)
            .field("decoded_length", &self.inner.decoded_length)
            .finish_non_exhaustive()
    }
}

fn source(image: &Inner, body: Option<Body>) -> Result<Source, Error> {
    match (&image.origin, body) {
        (Origin::File(path), _) => {
            Ok(Source::File(FileSource::open(&image.label, path, image.source_length)?))
        }
        (Origin::Http(_), Some(body)) => Ok(Source::Http(body)),
        (Origin::Http(_), None) => Err(Error::Ended { label: image.label.clone() }),
    }
}

enum Place {
    Path(PathBuf),
    Http,
}

/// What kind of source a text names. Only what has `://` behind letters is a URL.
fn locate(source: &str, label: &str) -> Result<Place, Error> {
    let wrong = |reason: String| Error::Url { label: label.into(), reason };
    let Some((scheme, _)) = source.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        return Ok(Place::Path(source.into()));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => Ok(Place::Http),
        "file" => {
            let url = Url::parse(source).map_err(|e| wrong(e.to_string()))?;
            url.to_file_path()
                .map(Place::Path)
                .map_err(|()| wrong("the URL names no file of this machine".into()))
        }
        other => Err(wrong(format!("scheme `{other}` is unknown"))),
    }
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

async fn open_file(label: &str, path: PathBuf) -> Result<Opened, Error> {
    let told = label.to_owned();
    let task = tokio::task::spawn_blocking(move || probe_file(&told, &path));
    task.await.map_err(|e| Error::Machine { label: label.into(), reason: e.to_string() })?
}

fn probe_file(label: &str, path: &Path) -> Result<Opened, Error> {
    let file = FileSource::open(label, path, None)?;
    let length = file.length();
    if length == 0 {
        return Err(Error::Empty { label: label.into() });
    }
    let told = |format| lengths::decoded(format, file.file(), length);
    let again = FileSource::open(label, path, Some(length))?;
    let peeled = peel(label, Box::new(Bottom::new(Source::File(again), false)))?;
    let format = peeled.formats.first().copied().unwrap_or(Format::Raw);
    let decoded_length = match peeled.formats.len() {
        0 | 1 => told(format),
        _ => peeled.length,
    };
    Ok(Opened { format, source_length: Some(length), decoded_length, origin: Origin::File(path.into()) })
}

async fn open_http(label: &str, url: &str, options: &SourceOptions) -> Result<Opened, Error> {
    let http = Http::new(label, url, options).await?;
    let mut answer = http.get().await?;
    let head = answer.head(HEAD).await?;
    if head.is_empty() {
        return Err(Error::Empty { label: label.into() });
    }
    let format = recognise(label, &head)?;
    if format == Format::Raw && !answer.framed && options.sha256.is_none() {
        return Err(Error::Unframed { label: label.into() });
    }
    let source_length = answer.length;
    let decoded_length = match format {
        Format::Raw => source_length,
        _ => simg::image_length(format, &head),
    };
    Ok(Opened { format, source_length, decoded_length, origin: Origin::Http(Arc::new(http)) })
}
