//! Reads a small document that belongs to an image: its block map, its checksums.

use std::io::Read;

use crate::source::file::open_file;
use crate::source::http::Http;
use crate::source::label;
use crate::source::locate::{Location, locate};
use crate::source::s3;
use crate::{Error, SourceOptions};

/// Reads all of `place`, a path or URL, up to `longest` bytes. The caller's headers go along only to the origin of the
/// image `source`: they are meant for that server.
pub(crate) async fn read(
    place: &str,
    source: &str,
    options: &SourceOptions,
    longest: u64,
) -> Result<Vec<u8>, Error> {
    let label = label::redact(place);
    match locate(place, &label)? {
        Location::Stdin => Err(Error::NotAFile { label, kind: "standard input" }),
        Location::Path(path) => {
            let told = label.clone();
            let task = tokio::task::spawn_blocking(move || read_file(&told, &path, longest));
            task.await.map_err(|e| Error::Machine { label, reason: e.to_string() })?
        }
        Location::S3 => {
            let signed = s3::url(place, &label).await?;
            read_http(&label, &signed, &options.without_secrets(), longest).await
        }
        Location::Http => {
            let options =
                if same_origin(place, source) { options.clone() } else { options.without_secrets() };
            read_http(&label, place, &options, longest).await
        }
    }
}

fn same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| reqwest::Url::parse(url).map(|url| url.origin());
    matches!((origin(one), origin(other)), (Ok(one), Ok(other)) if one == other)
}

fn read_file(label: &str, path: &std::path::Path, longest: u64) -> Result<Vec<u8>, Error> {
    let (file, length) = open_file(label, path)?;
    if length > longest {
        return Err(too_long(label, longest));
    }
    let mut bytes = Vec::new();
    let read = file.take(longest).read_to_end(&mut bytes);
    read.map_err(|source| Error::Read { label: label.into(), offset: 0, source })?;
    Ok(bytes)
}

async fn read_http(label: &str, url: &str, options: &SourceOptions, longest: u64) -> Result<Vec<u8>, Error> {
    let mut answer = Http::new(label, url, options).await?.get().await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.next().await? {
        if bytes.len() as u64 + chunk.len() as u64 > longest {
            return Err(too_long(label, longest));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn too_long(label: &str, longest: u64) -> Error {
    Error::TooLong { label: label.into(), longest }
}
