//! An answer whose body is read chunk by chunk, with limits on silence and on slowness.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{
    CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, TRANSFER_ENCODING, VARY,
};
use reqwest::{Response, Url, Version};

use super::causes::chain;
use super::validator::Validator;
use crate::Error;

/// Slowest server, in bytes a second of waiting for it; one that drips is as good as silent.
const SLOWEST: u64 = 1024;

/// The source, or a part of it to its end. Offsets and lengths are those of the whole source.
pub(crate) struct SourceResponse {
    label: String,
    response: Response,
    stall: Duration,
    /// Waiting and bytes since slowness was last looked at.
    waited: Duration,
    dripped: u64,
    received: u64,
    /// Most bytes of the whole, if there is a bound.
    most: Option<u64>,
    /// What [`SourceResponse::head`] has read.
    ahead: Vec<u8>,
    /// Where the body begins.
    pub(crate) offset: u64,
    /// One past the last byte of a part that ends before the whole does.
    pub(crate) until: Option<u64>,
    /// Bytes of the whole source, if announced.
    pub(crate) length: Option<u64>,
    /// Whether a cut differs from the end (RFC 9112 section 6.3: not if only the close of the connection ends the body).
    pub(crate) framed: bool,
    /// Which version of the source it is.
    pub(crate) validator: Validator,
    /// Whether the server calls it a web page.
    pub(crate) is_page: bool,
    /// Whether its server lets it be kept and given again for the same question (RFC 9111 sections 4.1 and 5.2.2).
    pub(crate) may_be_kept: bool,
    /// Where it came from in the end, without user information, query and fragment: those of signed URLs change.
    pub(crate) place: String,
}

impl SourceResponse {
    /// An answer with status 200.
    pub(super) fn whole(label: String, response: Response, stall: Duration) -> SourceResponse {
        let length = response.content_length();
        let http1 = matches!(response.version(), Version::HTTP_09 | Version::HTTP_10 | Version::HTTP_11);
        let framed = length.is_some() || !http1 || response.headers().contains_key(TRANSFER_ENCODING);
        let validator = Validator::of(response.headers());
        let is_page = is_page(response.headers());
        let (may_be_kept, place) = (may_be_kept(response.headers()), place(response.url()));
        SourceResponse {
            label,
            response,
            stall,
            waited: Duration::ZERO,
            dripped: 0,
            received: 0,
            most: None,
            ahead: Vec::new(),
            offset: 0,
            until: None,
            length,
            framed,
            validator,
            is_page,
            may_be_kept,
            place,
        }
    }

    /// An answer with status 206, which must say where it begins and how long the whole is; it goes on to `until`, or to the end.
    pub(super) fn part(
        label: String,
        response: Response,
        stall: Duration,
        until: Option<u64>,
    ) -> Result<SourceResponse, Error> {
        let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
        match range.and_then(content_range) {
            Some((offset, end, length)) if end == until.unwrap_or(length) => {
                let whole = SourceResponse::whole(label, response, stall);
                Ok(SourceResponse {
                    received: offset,
                    offset,
                    until,
                    length: Some(length),
                    framed: true,
                    ..whole
                })
            }
            _ => Err(Error::NoParts { label }),
        }
    }

    /// The same answer, which ends with an error beyond `most` bytes, and at once if it is announced to be longer.
    pub(super) fn at_most(self, most: Option<u64>) -> Result<SourceResponse, Error> {
        let answer = SourceResponse { most, ..self };
        answer.check_most(answer.length.unwrap_or(0))?;
        Ok(answer)
    }

    fn check_most(&self, bytes: u64) -> Result<(), Error> {
        match self.most.filter(|most| bytes > *most) {
            Some(most) => {
                let reason = format!("it has more than {most} bytes, the most that is fetched here");
                Err(Error::NotAllowed { label: self.label.clone(), reason })
            }
            None => Ok(()),
        }
    }

    /// The next bytes of the body, never none of them; `None` is its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let begun = Instant::now();
            let chunk = tokio::time::timeout(self.stall, self.response.chunk()).await;
            self.waited += begun.elapsed();
            match chunk.map_err(|_| self.stalled())?.map_err(|e| self.cut(chain(e)))? {
                Some(chunk) if chunk.is_empty() => {}
                Some(chunk) => {
                    self.received += chunk.len() as u64;
                    self.dripped += chunk.len() as u64;
                    self.check_most(self.received)?;
                    self.check_pace()?;
                    return Ok(Some(chunk));
                }
                None if self.until.or(self.length).is_some_and(|end| end != self.received) => {
                    return Err(self.cut("the body ended early".into()));
                }
                None => return Ok(None),
            }
        }
    }

    /// The first `wanted` bytes of the body or some more, fewer only if it has no more.
    pub(crate) async fn head(&mut self, wanted: usize) -> Result<&[u8], Error> {
        while self.ahead.len() < wanted {
            let Some(chunk) = self.next().await? else { break };
            self.ahead.extend_from_slice(&chunk);
        }
        Ok(&self.ahead)
    }

    /// As many of the first `wanted` bytes as come, and whether they are the whole body. A transfer that breaks off is reported
    /// when the source is read.
    pub(crate) async fn look(mut self, wanted: usize) -> (Vec<u8>, bool) {
        let sound = self.head(wanted).await.is_ok();
        let whole = sound && self.ahead.len() < wanted;
        (self.ahead, whole)
    }

    /// Only waiting for the server counts, not that the board is slow.
    fn check_pace(&mut self) -> Result<(), Error> {
        if self.waited < self.stall {
            return Ok(());
        }
        let least = self.waited.as_secs_f64() * SLOWEST as f64;
        let (bytes, waited) = (std::mem::take(&mut self.dripped), std::mem::take(&mut self.waited));
        if bytes as f64 >= least {
            return Ok(());
        }
        Err(Error::Drips { label: self.label.clone(), received: self.received, bytes, waited })
    }

    fn stalled(&self) -> Error {
        Error::Stalled { label: self.label.clone(), received: self.received, waited: self.stall }
    }

    fn cut(&self, reason: String) -> Error {
        Error::Cut { label: self.label.clone(), received: self.received, expected: self.length, reason }
    }
}

/// Whether `content-type` names HTML (RFC 9110 section 8.3).
fn is_page(headers: &HeaderMap) -> bool {
    let named = headers.get(CONTENT_TYPE).and_then(|named| named.to_str().ok()).unwrap_or_default();
    let media_type = named.split(';').next().unwrap_or_default().trim();
    ["text/html", "application/xhtml+xml"].iter().any(|page| media_type.eq_ignore_ascii_case(page))
}

/// Not what is meant for one reader or for none again, and not what depends on more than the request says.
fn may_be_kept(headers: &HeaderMap) -> bool {
    let named = |name: HeaderName, words: &[&str]| {
        let lines = headers.get_all(name).into_iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
        let is_word = |part: &str| {
            let word = part.split('=').next().unwrap_or_default().trim();
            words.iter().any(|wanted| word.eq_ignore_ascii_case(wanted))
        };
        lines.into_iter().any(|line| line.split(',').any(is_word))
    };
    !named(CACHE_CONTROL, &["no-store", "private"]) && !named(VARY, &["*"])
}

fn place(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Beginning, one past the end, and length of the whole in `bytes FIRST-LAST/LENGTH` (RFC 9110 section 14.4).
fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, length) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, length): (u64, u64, u64) =
        (first.parse().ok()?, last.parse().ok()?, length.parse().ok()?);
    (first <= last && last < length).then(|| (first, last + 1, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_be_kept_unless_its_server_says_otherwise() {
        for (name, value, kept) in [
            (CACHE_CONTROL, "max-age=60, public", true),
            (CACHE_CONTROL, "no-cache", true), // it is asked for every time
            (CACHE_CONTROL, "No-Store", false),
            (CACHE_CONTROL, "max-age=0, private, must-revalidate", false),
            (CACHE_CONTROL, "private=\"set-cookie\"", false),
            (VARY, "Accept-Encoding, X-Board", true), // both are part of the question
            (VARY, "Accept, *", false),
        ] {
            let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
            assert_eq!(may_be_kept(&headers), kept, "{value}");
        }
        assert!(may_be_kept(&HeaderMap::new()));
    }

    #[test]
    fn a_part_says_where_it_begins_and_ends() {
        for (text, found) in [
            ("bytes 5-9/10", Some((5, 10, 10))),
            ("bytes 5-8/10", Some((5, 9, 10))),
            ("bytes 5-10/10", None),
            ("bytes 5-9/*", None),
            ("bytes */10", None),
            ("bytes 9-5/10", None),
            ("items 5-9/10", None),
            ("bytes 5-18446744073709551615/0", None),
        ] {
            assert_eq!(content_range(text), found, "{text}");
        }
    }
}
