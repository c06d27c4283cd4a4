//! What a server says to tell one version of an object from another (RFC 9110 sections 8.8 and 13.1.5).

use std::time::Duration;

use reqwest::header::{DATE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED};

/// How much older than the answer a date must be to be a strong validator (RFC 9110 section 8.8.2.2 demands a second).
const SETTLED: Duration = Duration::from_secs(60);

/// The strong validators of an answer: equal ones mean equal bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Validator {
    etag: Option<HeaderValue>,
    date: Option<HeaderValue>,
}

impl Validator {
    /// Those in the headers of an answer.
    pub(super) fn of(headers: &HeaderMap) -> Validator {
        let etag = headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\"")).cloned();
        let date = headers.get(LAST_MODIFIED).filter(|date| is_settled(date, headers)).cloned();
        Validator { etag, date }
    }

    /// The best one, as `If-Range` takes it.
    pub(crate) fn if_range(&self) -> Option<HeaderValue> {
        self.etag.clone().or_else(|| self.date.clone())
    }

    /// Whether `other` is proven to be of the same bytes.
    pub(super) fn proves(&self, other: &Validator) -> bool {
        match (&self.etag, &self.date) {
            (Some(etag), _) => other.etag.as_ref() == Some(etag),
            (None, Some(date)) => other.date.as_ref() == Some(date),
            (None, None) => false,
        }
    }

    /// Whether `other` is proven to be of other bytes.
    pub(super) fn excludes(&self, other: &Validator) -> bool {
        matches!((&self.etag, &other.etag), (Some(one), Some(other)) if one != other)
    }

    /// What tells the version, for messages: the tag or date.
    pub(super) fn describe(&self) -> String {
        let of = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).chars().take(80).collect();
        self.etag.as_ref().or(self.date.as_ref()).map_or_else(|| "unknown".into(), of)
    }
}

fn is_settled(date: &HeaderValue, headers: &HeaderMap) -> bool {
    let time =
        |value: &HeaderValue| value.to_str().ok().and_then(|text| httpdate::parse_http_date(text).ok());
    let (modified, now) = (time(date), headers.get(DATE).and_then(time));
    modified
        .zip(now)
        .is_some_and(|(modified, now)| now.duration_since(modified).is_ok_and(|age| age >= SETTLED))
}
