//! What is asked of the server of an image and what it answers, as values: seen by a recorder, or given in the server's place.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Sees every exchange with the servers of a source, and may answer in their place.
pub trait SourceExchanges: fmt::Debug + Send + Sync {
    /// The answer to this request in place of its server's; none has the server asked.
    fn instead(&self, request: &SourceRequest) -> Option<SourceAnswer>;

    /// A server was asked, and this came of it.
    fn answered(&self, request: SourceRequest, answer: SourceAnswer);

    /// A server failed in a way that may pass, and is asked again.
    fn asked_again(&self, reason: String);

    /// The body of a source was handed on, to its end or as far as it came.
    fn handed_on(&self, body: SourceBody);
}

/// A request for a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRequest {
    /// What was asked for, without user information, values of the query and fragment.
    pub url: String,
    /// The first byte that was asked for; none asks for the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// One past the last byte that was asked for; none asks for everything to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceAnswer {
    /// The server answered.
    Response {
        /// The HTTP status.
        status: u16,
        /// Header lines that decide something, names in lower case.
        headers: BTreeMap<String, String>,
        /// What the server says of a refusal, in one line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said: Option<String>,
    },
    /// There was no answer.
    Failed {
        /// In which way.
        how: ExchangeFailure,
        /// Why, for people.
        reason: String,
    },
}

/// How a request can end without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExchangeFailure {
    /// Nothing came for as long as is waited.
    Silent,
    /// The server's certificate is not trusted.
    Untrusted,
    /// The server does not speak TLS, or another kind of it.
    NoTls,
    /// The server cannot be reached.
    NotReached,
    /// The connection ended before there was an answer.
    Cut,
}

/// A body that was handed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceBody {
    /// How many bytes, over all requests.
    pub bytes: u64,
    /// Their SHA-256, hex.
    pub sha256: String,
    /// Why it is not all; none when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
