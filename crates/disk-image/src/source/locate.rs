//! What kind of source a text names.

use std::path::PathBuf;

use reqwest::Url;

use crate::Error;

/// Where a source is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Path(PathBuf),
    Http,
    S3,
    Stdin,
}

/// What kind of source `source` names. Only what has `://` behind letters is a URL, and only `-` is standard input.
pub(crate) fn locate(source: &str, label: &str) -> Result<Location, Error> {
    let wrong = |reason: String| Error::Url { label: label.into(), reason };
    if source == "-" {
        return Ok(Location::Stdin);
    }
    let Some((scheme, _)) = source.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        return Ok(Location::Path(source.into()));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => Ok(Location::Http),
        "s3" => Ok(Location::S3),
        "file" => {
            let url = Url::parse(source).map_err(|e| wrong(e.to_string()))?;
            url.to_file_path()
                .map(Location::Path)
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
