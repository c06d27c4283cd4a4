//! What a caller gives along for a server: headers, a token, certificates.

use reqwest::Certificate;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::causes::chain;
use crate::{Error, SourceOptions};

/// The caller's headers, marked so that no debug output shows their values.
pub(super) fn headers(label: &str, options: &SourceOptions) -> Result<HeaderMap, Error> {
    let bearer =
        options.bearer.iter().map(|token| (AUTHORIZATION.to_string(), format!("Bearer {}", token.expose())));
    let mut headers = HeaderMap::new();
    for (name, value) in options.headers.iter().cloned().chain(bearer) {
        let wrong = || Error::Header { label: label.into(), name: name.clone() };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    Ok(headers)
}

pub(super) async fn certificates(label: &str, options: &SourceOptions) -> Result<Vec<Certificate>, Error> {
    let Some(path) = &options.cacert else { return Ok(Vec::new()) };
    let unusable = |reason: String| Error::Certificates { label: label.into(), path: path.clone(), reason };
    let pem = tokio::fs::read(path).await.map_err(|e| unusable(e.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|e| unusable(chain(e)))?;
    match found.is_empty() {
        true => Err(unusable("it holds no certificate".into())),
        false => Ok(found),
    }
}
