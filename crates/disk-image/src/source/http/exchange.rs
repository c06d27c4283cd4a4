//! A request and its answer as values, for who sees them, and a response made of such an answer.

use std::time::Duration;

use flasher_base::safe;
use flasher_base::source_exchange::{ExchangeFailure, SourceAnswer, SourceRequest};
use reqwest::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG,
    HeaderMap, HeaderName, LAST_MODIFIED, LOCATION, RETRY_AFTER, SERVER, TRANSFER_ENCODING, VARY, VIA,
};
use reqwest::{Response, ResponseBuilderExt as _, Url};

use crate::{Error, redact};

/// Header lines that decide something, or tell who answered.
const TELLING: [HeaderName; 14] = [
    ACCEPT_RANGES,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    DATE,
    ETAG,
    LAST_MODIFIED,
    RETRY_AFTER,
    SERVER,
    TRANSFER_ENCODING,
    VARY,
    VIA,
];
/// Most characters of a header line that are kept.
const LONGEST: usize = 200;

/// The request as others may see it: for the whole, or for a part from its first byte to before another one.
pub(super) fn request(url: &Url, part: Option<(u64, Option<u64>)>) -> SourceRequest {
    SourceRequest {
        url: without_secrets(url.clone()),
        from: part.map(|(from, _)| from),
        until: part.and_then(|(_, until)| until),
    }
}

/// The URL without user information, values of the query and fragment.
fn without_secrets(mut url: Url) -> String {
    // A URL that cannot have them has none.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    redact(url.as_str())
}

/// An answer as others may see it.
pub(super) fn response(
    (url, status): (&Url, u16),
    headers: &HeaderMap,
    said: Option<String>,
) -> SourceAnswer {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
    let telling = TELLING.iter().filter_map(|name| Some((name, safe::short(text(name)?, LONGEST))));
    // A place may be relative, and has secrets all the same.
    let place = text(&LOCATION).and_then(|place| url.join(place).ok());
    let place = place.map(|place| (&LOCATION, without_secrets(place)));
    let headers = telling.chain(place).map(|(name, value)| (name.as_str().to_owned(), value)).collect();
    SourceAnswer::Response { status, headers, said }
}

/// A request without an answer as others may see it; none for what was not asked of a server.
pub(super) fn failure(error: &Error) -> Option<SourceAnswer> {
    let (how, reason) = match error {
        Error::Stalled { .. } => (ExchangeFailure::Silent, String::new()),
        Error::Untrusted { reason, .. } => (ExchangeFailure::Untrusted, reason.clone()),
        Error::NoTls { reason, .. } => (ExchangeFailure::NoTls, reason.clone()),
        Error::Connect { reason, .. } => (ExchangeFailure::NotReached, reason.clone()),
        Error::Cut { reason, .. } => (ExchangeFailure::Cut, reason.clone()),
        _ => return None,
    };
    Some(SourceAnswer::Failed { how, reason })
}

/// The response, or the error, that such an answer stands for. What the server said is its body. `label` names the source, and `stall` is
/// how long a silent server is waited for.
pub(super) fn played(
    (label, stall): (String, Duration),
    url: &Url,
    answer: SourceAnswer,
) -> Result<Response, Error> {
    match answer {
        SourceAnswer::Response { status, headers, said } => {
            let builder = http::Response::builder().status(status).url(url.clone());
            let lines = headers.iter().filter(|(name, _)| !is_about_length(name));
            let builder = lines.fold(builder, |builder, (name, value)| builder.header(name, value));
            let response = builder.body(said.unwrap_or_default());
            response.map(Response::from).map_err(|error| Error::Machine { label, reason: error.to_string() })
        }
        SourceAnswer::Failed { how, reason } => Err(match how {
            ExchangeFailure::Silent => Error::Stalled { label, received: 0, waited: stall },
            ExchangeFailure::Untrusted => Error::Untrusted { label, reason },
            ExchangeFailure::NoTls => Error::NoTls { label, reason },
            ExchangeFailure::NotReached => Error::Connect { label, reason },
            ExchangeFailure::Cut => Error::Cut { label, received: 0, expected: None, reason },
        }),
    }
}

/// The body that is played is not the recorded one.
fn is_about_length(name: &str) -> bool {
    [CONTENT_LENGTH, TRANSFER_ENCODING, CONTENT_ENCODING].iter().any(|it| it.as_str() == name)
}
