//! HTTP requests on a client's behalf: the client has a signed URL, the exporter moves the data.
//!
//! Redirects are followed by hand, so that what proves who we are never reaches another origin (docs/wire.md).

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Body, Client, Method, Response, Url, redirect};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use super::pipe::{Piece, Sink, Source};
use crate::failure::{Failure, Outcome};

const REDIRECTS: usize = 10;
const CONNECT: Duration = Duration::from_secs(30);
/// How long a transfer may stand still.
const STALL: Duration = Duration::from_secs(120);
/// Bound on the whole request, Jumpstarter's own.
const WHOLE: Duration = Duration::from_secs(7200);
/// Headers one request may have.
const HEADERS: usize = 64;
/// Beginnings of names of headers that stay with the origin they are for.
const SECRETS: &[&str] = &["authorization", "cookie", "proxy-authorization", "x-amz-", "x-ms-", "x-goog-"];

/// A request as the client wants it. URL and headers are secrets.
#[derive(Clone)]
pub(crate) struct Presigned {
    put: bool,
    url: Url,
    headers: HeaderMap,
}

impl std::fmt::Debug for Presigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presigned").field("url", &shown(&self.url)).finish_non_exhaustive()
    }
}

impl Presigned {
    /// Checks method, URL and headers; asks nobody.
    pub(super) fn new(method: Option<&str>, url: &str, headers: &[(String, String)]) -> Outcome<Self> {
        let put = match method {
            Some("GET") => false,
            Some("PUT") => true,
            _ => return Err(Failure::argument("a presigned request has the method `GET` or `PUT`")),
        };
        let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = parsed.ok_or_else(|| Failure::argument("a presigned request needs an http(s) URL"))?;
        if headers.len() > HEADERS {
            return Err(Failure::argument(format!("a presigned request has at most {HEADERS} headers")));
        }
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let pair = (HeaderName::try_from(name), HeaderValue::try_from(value));
            let (Ok(name), Ok(mut value)) = pair else {
                return Err(Failure::argument(
                    "a header of the presigned request is malformed (not shown: it may be secret)",
                ));
            };
            value.set_sensitive(true);
            map.append(name, value);
        }
        Ok(Self { put, url, headers: map })
    }

    /// Begins to fetch; needs the runtime.
    pub(super) fn fetch(self, closed: CancellationToken) -> Outcome<Source> {
        if self.put {
            return Err(Failure::argument("data is read with a `GET` request, this one is `PUT`"));
        }
        let (sender, source) = Source::pieces();
        tokio::spawn(async move {
            let end = tokio::select! {
                () = closed.cancelled() => return,
                end = tokio::time::timeout(WHOLE, self.forward(&sender)) => end.unwrap_or_else(|_| Err(self.late())),
            };
            let piece = end.map_or_else(Piece::Broken, |()| Piece::End);
            // Whoever wanted it may have given up.
            sender.send(piece).await.ok();
        });
        Ok(source)
    }

    /// Begins to send `length` bytes; needs the runtime.
    pub(super) fn send(mut self, closed: CancellationToken, length: u64) -> Outcome<Sink> {
        if !self.put {
            return Err(Failure::argument("data is sent with a `PUT` request, this one is `GET`"));
        }
        // Object stores take no upload of unknown length.
        self.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
        Ok(Sink::pieces(|pieces| {
            tokio::spawn(async move {
                tokio::select! {
                    () = closed.cancelled() => Err(Failure::gone()),
                    sent = tokio::time::timeout(WHOLE, self.upload(pieces)) => sent.unwrap_or_else(|_| Err(self.late())),
                }
            })
        }))
    }

    async fn forward(&self, sender: &mpsc::Sender<Piece>) -> Outcome<()> {
        let mut body = self.get().await?.bytes_stream();
        loop {
            let next = tokio::time::timeout(STALL, body.next()).await.map_err(|_| self.late())?;
            match next {
                None => return Ok(()),
                Some(Ok(data)) => {
                    if sender.send(Piece::Data(data)).await.is_err() {
                        return Ok(());
                    }
                }
                Some(Err(error)) => return Err(self.broken("was cut", error)),
            }
        }
    }

    async fn get(&self) -> Outcome<Response> {
        let (mut url, mut headers) = (self.url.clone(), self.headers.clone());
        for _ in 0..=REDIRECTS {
            let request = client(&url)?.get(url.clone()).headers(headers.clone());
            let sent = tokio::time::timeout(STALL, request.send()).await.map_err(|_| self.late())?;
            let response = sent.map_err(|error| self.broken("failed", error))?;
            let status = response.status();
            if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return if status.is_success() { Ok(response) } else { Err(self.refused(status)) };
            }
            let next = response.headers().get(LOCATION).and_then(|place| url.join(place.to_str().ok()?).ok());
            let next = next.ok_or_else(|| self.trouble("was redirected to nowhere"))?;
            if next.origin() != url.origin() {
                headers = public(&headers);
            }
            url = next;
        }
        Err(self.trouble("was redirected more than 10 times"))
    }

    async fn upload(&self, mut pieces: mpsc::Receiver<Outcome<bytes::Bytes>>) -> Outcome<()> {
        let body = futures_util::stream::poll_fn(move |context| pieces.poll_recv(context));
        let body = body.map(|piece| piece.map_err(|failure| std::io::Error::other(failure.text)));
        let request = client(&self.url)?.request(Method::PUT, self.url.clone()).headers(self.headers.clone());
        let response = request.body(Body::wrap_stream(body)).send().await;
        let status = response.map_err(|error| self.broken("failed", error))?.status();
        if status.is_success() { Ok(()) } else { Err(self.refused(status)) }
    }

    fn method(&self) -> &'static str {
        if self.put { "PUT" } else { "GET" }
    }

    fn trouble(&self, what: &str) -> Failure {
        Failure::new(
            Code::Unknown,
            format!("presigned HTTP {} of {} {what}", self.method(), shown(&self.url)),
        )
    }

    fn refused(&self, status: reqwest::StatusCode) -> Failure {
        self.trouble(&format!("was answered {status}"))
    }

    fn broken(&self, what: &str, error: reqwest::Error) -> Failure {
        let mut failure = self.trouble(&format!("{what}: {}", causes(&error.without_url())));
        failure.code = Code::Unavailable;
        failure
    }

    fn late(&self) -> Failure {
        let mut failure = self.trouble(&format!("stood still for {} s", STALL.as_secs()));
        failure.code = Code::DeadlineExceeded;
        failure
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

fn public(headers: &HeaderMap) -> HeaderMap {
    let is_public = |name: &HeaderName| !SECRETS.iter().any(|secret| name.as_str().starts_with(secret));
    headers
        .iter()
        .filter(|(name, _)| is_public(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The URL without what may be secret.
fn shown(url: &Url) -> String {
    let query = if url.query().is_some() { "?[REDACTED]" } else { "" };
    format!("{}://{}{}{query}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// A client for one request. One for plain HTTP loads no certificates of the system: there may be none.
fn client(url: &Url) -> Outcome<Client> {
    // An error says that the process has a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT)
        .tcp_keepalive(Duration::from_secs(20))
        .no_proxy();
    let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
    builder
        .build()
        .map_err(|error| Failure::new(Code::Internal, format!("no HTTP client: {}", causes(&error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_checked_before_anybody_is_asked() {
        let check = |method, url: &str, headers: &[(&str, &str)]| {
            let headers: Vec<_> = headers.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            Presigned::new(method, url, &headers).map_err(|failure| failure.text)
        };
        let good = check(Some("GET"), "http://h:1/a%2Fb?sig=s3cret", &[("X-Amz-Date", "x")]).unwrap();
        assert_eq!(format!("{good:?}"), r#"Presigned { url: "http://h/a%2Fb?[REDACTED]", .. }"#);
        let cases = [
            (check(Some("POST"), "http://h", &[]), "a presigned request has the method `GET` or `PUT`"),
            (check(None, "http://h", &[]), "a presigned request has the method `GET` or `PUT`"),
            (check(Some("GET"), "file:///etc/shadow", &[]), "a presigned request needs an http(s) URL"),
            (
                check(Some("GET"), "http://h", &[("a", "s3cret\n")]),
                "a header of the presigned request is malformed (not shown: it may be secret)",
            ),
        ];
        for (result, text) in cases {
            assert_eq!(result.unwrap_err(), text);
        }
    }

    #[test]
    fn secrets_stay_with_their_origin() {
        let headers = ["authorization", "cookie", "x-amz-date", "x-goog-a", "accept", "x-amzn"];
        let all = headers
            .iter()
            .map(|name| (HeaderName::from_static(name), HeaderValue::from_static("v")))
            .collect();
        let left: Vec<_> = public(&all).keys().map(|name| name.as_str().to_owned()).collect();
        assert_eq!(left, ["accept", "x-amzn"]);
    }
}
