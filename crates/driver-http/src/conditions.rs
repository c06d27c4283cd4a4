//! Ranges and conditional requests: RFC 9110 sections 13 and 14.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use warp::http::HeaderMap;
use warp::http::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};

/// What identifies one version of a file.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// Strong entity tag with its quotes: `"<mtime, ns, hex>-<length, hex>"`, as Jumpstarter's server gives.
    pub(crate) etag: String,
    /// Last change, whole seconds.
    pub(crate) modified: SystemTime,
    /// Bytes.
    pub(crate) length: u64,
}

/// How a GET is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConditionalOutcome {
    /// 200
    Whole,
    /// 206 with the bytes from `start` up to but not including `end`.
    Part { start: u64, end: u64 },
    /// 304
    NotModified,
    /// 412
    PreconditionFailed,
    /// 416
    Unsatisfiable,
}

impl Version {
    pub(crate) fn new(modified: SystemTime, length: u64) -> Self {
        let age = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            etag: format!("\"{:x}-{length:x}\"", age.as_nanos()),
            modified: UNIX_EPOCH + Duration::from_secs(age.as_secs()),
            length,
        }
    }

    /// In the order RFC 9110 section 13.2.2 prescribes.
    pub(crate) fn answer(&self, headers: &HeaderMap) -> ConditionalOutcome {
        if !self.is_wanted(headers) {
            return ConditionalOutcome::PreconditionFailed;
        }
        if self.is_known(headers) {
            return ConditionalOutcome::NotModified;
        }
        match text(headers, RANGE) {
            Some(range) if self.may_resume(headers) => self.range(range),
            _ => ConditionalOutcome::Whole,
        }
    }

    fn is_wanted(&self, headers: &HeaderMap) -> bool {
        match (text(headers, IF_MATCH), date(headers, IF_UNMODIFIED_SINCE)) {
            (Some(tags), _) => tags.trim() == "*" || tags.split(',').any(|tag| tag.trim() == self.etag),
            (None, Some(date)) => self.modified <= date,
            (None, None) => true,
        }
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        match (text(headers, IF_NONE_MATCH), date(headers, IF_MODIFIED_SINCE)) {
            (Some(tags), _) => tags.trim() == "*" || tags.split(',').any(|tag| weak(tag) == self.etag),
            (None, Some(date)) => self.modified <= date,
            (None, None) => false,
        }
    }

    /// If-Range: a range of another version would make a file that never was.
    fn may_resume(&self, headers: &HeaderMap) -> bool {
        match text(headers, IF_RANGE) {
            Some(tag) if tag.contains('"') => tag.trim() == self.etag,
            Some(_) => date(headers, IF_RANGE) == Some(self.modified),
            None => true,
        }
    }

    /// A Range field that is malformed, or asks for several ranges, may be ignored (RFC 9110 section 14.2).
    fn range(&self, header: &str) -> ConditionalOutcome {
        let Some(set) = header.trim().strip_prefix("bytes=") else { return ConditionalOutcome::Whole };
        let Some((first, last)) = set.trim().split_once('-') else { return ConditionalOutcome::Whole };
        match (number(first), number(last)) {
            (Number::Value(start), Number::Value(last)) if start <= last => {
                self.part(start, last.saturating_add(1))
            }
            (Number::Value(start), Number::Absent) => self.part(start, self.length),
            (Number::Absent, Number::Value(0)) => ConditionalOutcome::Unsatisfiable,
            (Number::Absent, Number::Value(tail)) => self.part(self.length.saturating_sub(tail), self.length),
            _ => ConditionalOutcome::Whole,
        }
    }

    fn part(&self, start: u64, end: u64) -> ConditionalOutcome {
        if start >= self.length {
            return ConditionalOutcome::Unsatisfiable;
        }
        ConditionalOutcome::Part { start, end: end.min(self.length) }
    }
}

enum Number {
    Absent,
    Value(u64),
    Wrong,
}

fn number(text: &str) -> Number {
    match text.trim() {
        "" => Number::Absent,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Number::Value(digits.parse().unwrap_or(u64::MAX))
        }
        _ => Number::Wrong,
    }
}

fn weak(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, name)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(length: u64, fields: &[(HeaderName, &str)], expected: ConditionalOutcome) {
        let version = Version::new(UNIX_EPOCH + Duration::from_nanos(1_000_000_000_500), length);
        let headers = fields.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        assert_eq!(version.answer(&headers), expected, "{fields:?} of {length} B");
    }

    #[test]
    fn a_single_range_is_cut_to_the_file_and_others_are_ignored() {
        let part = |start, end| ConditionalOutcome::Part { start, end };
        let cases = [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-99", part(0, 100)),
            ("bytes=10-", part(10, 100)),
            ("bytes=-10", part(90, 100)),
            ("bytes=-1000", part(0, 100)),
            ("bytes=99-1000", part(99, 100)),
            ("bytes=0-18446744073709551615", part(0, 100)),
            ("bytes=5-99999999999999999999999", part(5, 100)),
            ("bytes= 1 - 2 ", part(1, 3)),
            ("bytes=100-", ConditionalOutcome::Unsatisfiable),
            ("bytes=99999999999999999999999-", ConditionalOutcome::Unsatisfiable),
            ("bytes=-0", ConditionalOutcome::Unsatisfiable),
            ("bytes=2-1", ConditionalOutcome::Whole),
            ("bytes=-", ConditionalOutcome::Whole),
            ("bytes=a-b", ConditionalOutcome::Whole),
            ("bytes=+1-2", ConditionalOutcome::Whole),
            ("bytes=0-1,5-6", ConditionalOutcome::Whole),
            ("lines=0-1", ConditionalOutcome::Whole),
            ("", ConditionalOutcome::Whole),
        ];
        for (range, expected) in cases {
            check(100, &[(RANGE, range)], expected);
        }
        check(0, &[(RANGE, "bytes=0-")], ConditionalOutcome::Unsatisfiable);
        check(0, &[(RANGE, "bytes=-5")], ConditionalOutcome::Unsatisfiable);
        check(0, &[], ConditionalOutcome::Whole);
    }

    proptest::proptest! {
        #[test]
        fn no_range_leaves_the_file(range in "(bytes=)?[0-9]{0,22}-?[0-9]{0,22}|.{0,30}", length in 0u64..200) {
            if let ConditionalOutcome::Part { start, end } = Version::new(UNIX_EPOCH, length).range(&range) {
                proptest::prop_assert!(start < end && end <= length);
            }
        }
    }

    #[test]
    fn conditions_decide_in_the_order_of_the_rfc() {
        let tag = "\"e8d4a511f4-64\"";
        let weak = "W/\"e8d4a511f4-64\"";
        let (before, same) = ("Thu, 01 Jan 1970 00:16:39 GMT", "Thu, 01 Jan 1970 00:16:40 GMT");
        let part = ConditionalOutcome::Part { start: 0, end: 2 };
        let cases: &[(&[(HeaderName, &str)], ConditionalOutcome)] = &[
            (&[(IF_NONE_MATCH, tag)], ConditionalOutcome::NotModified),
            (&[(IF_NONE_MATCH, weak)], ConditionalOutcome::NotModified),
            (&[(IF_NONE_MATCH, "\"a\", \"e8d4a511f4-64\"")], ConditionalOutcome::NotModified),
            (&[(IF_NONE_MATCH, "*")], ConditionalOutcome::NotModified),
            (&[(IF_NONE_MATCH, "\"a\"")], ConditionalOutcome::Whole),
            (&[(IF_NONE_MATCH, "\"a\""), (IF_MODIFIED_SINCE, same)], ConditionalOutcome::Whole),
            (&[(IF_MODIFIED_SINCE, same)], ConditionalOutcome::NotModified),
            (&[(IF_MODIFIED_SINCE, before)], ConditionalOutcome::Whole),
            (&[(IF_MODIFIED_SINCE, "yesterday")], ConditionalOutcome::Whole),
            (&[(IF_MATCH, tag)], ConditionalOutcome::Whole),
            (&[(IF_MATCH, "\"a\"")], ConditionalOutcome::PreconditionFailed),
            (&[(IF_MATCH, weak)], ConditionalOutcome::PreconditionFailed),
            (&[(IF_UNMODIFIED_SINCE, before)], ConditionalOutcome::PreconditionFailed),
            (&[(IF_UNMODIFIED_SINCE, same)], ConditionalOutcome::Whole),
            (&[(IF_MATCH, "\"a\""), (IF_NONE_MATCH, tag)], ConditionalOutcome::PreconditionFailed),
            (&[(RANGE, "bytes=0-1"), (IF_RANGE, tag)], part),
            (&[(RANGE, "bytes=0-1"), (IF_RANGE, weak)], ConditionalOutcome::Whole),
            (&[(RANGE, "bytes=0-1"), (IF_RANGE, "\"a\"")], ConditionalOutcome::Whole),
            (&[(RANGE, "bytes=0-1"), (IF_RANGE, same)], part),
            (&[(RANGE, "bytes=0-1"), (IF_RANGE, before)], ConditionalOutcome::Whole),
            (&[(RANGE, "bytes=0-1"), (IF_NONE_MATCH, tag)], ConditionalOutcome::NotModified),
        ];
        for (fields, expected) in cases {
            check(100, fields, *expected);
        }
    }
}
