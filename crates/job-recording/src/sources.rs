//! The servers of the image: what they answer is noted, and given again when a recording is played.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use flasher_core::source_exchange::{SourceAnswer, SourceBody, SourceExchanges, SourceRequest};

use crate::entry::Moment;
use crate::file::Recording;
use crate::recorder::Recorder;

/// The status of what is not in a recording: files beside the image that are looked for by the way.
const NOT_FOUND: u16 = 404;

/// Notes what the servers of the image answer.
pub struct RecordedSources(pub Arc<Recorder>);

impl SourceExchanges for RecordedSources {
    fn instead(&self, _: &SourceRequest) -> Option<SourceAnswer> {
        None
    }

    fn answered(&self, request: SourceRequest, answer: SourceAnswer) {
        self.0.note(Moment::Asked { request, answer });
    }

    fn asked_again(&self, _: String) {}

    fn handed_on(&self, body: SourceBody) {
        self.0.note(Moment::Read(body));
    }
}

impl fmt::Debug for RecordedSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordedSources")
    }
}

/// Answers as the servers of a recording did: to each request the next answer that the same one got, and in the end the last.
#[derive(Debug)]
pub struct PlayedSources(Mutex<Vec<PlayedAnswer>>);

#[derive(Debug)]
struct PlayedAnswer {
    request: SourceRequest,
    answer: SourceAnswer,
    is_given: bool,
}

impl PlayedSources {
    /// What the servers answered; none where one gave an image, of which a recording has no byte, or where the image is named
    /// otherwise than by `http` or `https`: a recording may come from anywhere, and nothing but it is asked.
    pub fn of(recording: &Recording) -> Option<Self> {
        let scheme = recording.head.image.split_once("://").map(|(scheme, _)| scheme);
        let asked = recording.entries.iter().filter_map(|entry| match &entry.what {
            Moment::Asked { request, answer } => Some((request.clone(), answer.clone())),
            _ => None,
        });
        let answers: Vec<PlayedAnswer> =
            asked.map(|(request, answer)| PlayedAnswer { request, answer, is_given: false }).collect();
        let gives = |answer: &SourceAnswer| matches!(answer, SourceAnswer::Response { status, .. } if (200..300).contains(status));
        let is_ours = matches!(scheme, Some("http" | "https"));
        let is_playable = is_ours && !answers.is_empty() && !answers.iter().any(|it| gives(&it.answer));
        is_playable.then_some(Self(Mutex::new(answers)))
    }
}

impl SourceExchanges for PlayedSources {
    fn instead(&self, request: &SourceRequest) -> Option<SourceAnswer> {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |it: &PlayedAnswer| it.request == *request;
        let next = answers.iter().position(|it| is_same(it) && !it.is_given);
        let at = next.or_else(|| answers.iter().rposition(is_same));
        Some(match at.and_then(|at| answers.get_mut(at)) {
            Some(found) => {
                found.is_given = true;
                found.answer.clone()
            }
            None => SourceAnswer::Response { status: NOT_FOUND, headers: BTreeMap::new(), said: None },
        })
    }

    fn answered(&self, _: SourceRequest, _: SourceAnswer) {}

    fn asked_again(&self, _: String) {}

    fn handed_on(&self, _: SourceBody) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> SourceRequest {
        SourceRequest { url: url.to_owned(), from: None, until: None }
    }

    fn status(status: u16) -> SourceAnswer {
        SourceAnswer::Response { status, headers: BTreeMap::new(), said: None }
    }

    #[test]
    fn each_request_gets_the_answers_that_it_got() {
        let answers = [("a", 503), ("b", 403), ("a", 404)].map(|(url, code)| PlayedAnswer {
            request: request(url),
            answer: status(code),
            is_given: false,
        });
        let played = PlayedSources(Mutex::new(answers.into()));
        let asked = ["a", "b", "a", "a", "beside"];
        let got: Vec<SourceAnswer> = asked.iter().filter_map(|url| played.instead(&request(url))).collect();
        assert_eq!(got, [503, 403, 404, 404, 404].map(status));
    }
}
