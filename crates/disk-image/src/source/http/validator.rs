//! What a server says to tell one version of an object from another (RFC 9110 sections 8.8 and 13.1.5).

use reqwest::header::{ETAG, HeaderMap, HeaderValue};

/// The strong validator of an answer, if it has one: equal ones mean equal bytes. A date is none: a person who builds
/// reproducibly gives every version the same one, and a change within its second is not seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Validator {
    etag: Option<HeaderValue>,
}

impl Validator {
    /// The one in the headers of an answer.
    pub(super) fn of(headers: &HeaderMap) -> Validator {
        Validator { etag: headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\"")).cloned() }
    }

    /// The tag, also as `If-Range` takes it.
    pub(crate) fn tag(&self) -> Option<HeaderValue> {
        self.etag.clone()
    }

    /// Whether `other` is proven to be of the same bytes.
    pub(super) fn proves(&self, other: &Validator) -> bool {
        self.etag.is_some() && self.etag == other.etag
    }

    /// Whether `other` is proven to be of other bytes.
    pub(super) fn excludes(&self, other: &Validator) -> bool {
        matches!((&self.etag, &other.etag), (Some(one), Some(other)) if one != other)
    }

    /// What tells the version, for messages.
    pub(super) fn describe(&self) -> String {
        let of = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).chars().take(80).collect();
        self.etag.as_ref().map_or_else(|| "unknown".into(), of)
    }
}
