//! HTTP requests on a client's behalf: the client has a signed URL, the exporter moves the data.
//!
//! Redirects are followed by hand, so that what proves who we are never reaches another origin (docs/wire.md).

use std::net::SocketAddr;
use std::time::Duration;

use flasher_core::fetch::FetchRules;
use futures_util::StreamExt;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Body, Client, Method, Response, Url, redirect};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use super::pipe::{DataSource, Sink, StreamItem};
use crate::failure::{CallFailure, CallResult};

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
    rules: FetchRules,
}

impl std::fmt::Debug for Presigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presigned").field("url", &shown(&self.url)).finish_non_exhaustive()
    }
}

impl Presigned {
    /// Checks method, URL and headers; sends nothing.
    pub(crate) fn new(method: Option<&str>, url: &str, headers: &[(String, String)]) -> CallResult<Self> {
        let put = match method {
            Some("GET") => false,
            Some("PUT") => true,
            _ => return Err(CallFailure::argument("a presigned request has the method `GET` or `PUT`")),
        };
        let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = parsed.ok_or_else(|| CallFailure::argument("a presigned request needs an http(s) URL"))?;
        if headers.len() > HEADERS {
            return Err(CallFailure::argument(format!("a presigned request has at most {HEADERS} headers")));
        }
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let pair = (HeaderName::try_from(name), HeaderValue::try_from(value));
            let (Ok(name), Ok(mut value)) = pair else {
                return Err(CallFailure::argument(
                    "a header of the presigned request is malformed (not shown: it may be secret)",
                ));
            };
            value.set_sensitive(true);
            map.append(name, value);
        }
        Ok(Self { put, url, headers: map, rules: FetchRules::default() })
    }

    /// The same request within what its client may have fetched.
    pub(crate) fn within(self, rules: FetchRules) -> Self {
        Self { rules, ..self }
    }

    /// Begins to fetch; needs the runtime.
    pub(crate) fn fetch(self, closed: CancellationToken) -> CallResult<DataSource> {
        if self.put {
            return Err(CallFailure::argument("data is read with a `GET` request, this one is `PUT`"));
        }
        let (sender, source) = DataSource::pieces();
        tokio::spawn(async move {
            let end = tokio::select! {
                () = closed.cancelled() => return,
                end = tokio::time::timeout(WHOLE, self.forward(&sender)) => end.unwrap_or_else(|_| Err(self.late())),
            };
            let piece = end.map_or_else(StreamItem::Broken, |()| StreamItem::End);
            // The receiver may have given up.
            sender.send(piece).await.ok();
        });
        Ok(source)
    }

    /// Begins to send `length` bytes; needs the runtime.
    pub(crate) fn send(mut self, closed: CancellationToken, length: u64) -> CallResult<Sink> {
        if !self.put {
            return Err(CallFailure::argument("data is sent with a `PUT` request, this one is `GET`"));
        }
        // Object stores take no upload of unknown length.
        self.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
        Ok(Sink::pieces(|pieces| {
            tokio::spawn(async move {
                tokio::select! {
                    () = closed.cancelled() => Err(CallFailure::gone()),
                    sent = tokio::time::timeout(WHOLE, self.upload(pieces)) => sent.unwrap_or_else(|_| Err(self.late())),
                }
            })
        }))
    }

    async fn forward(&self, sender: &mpsc::Sender<StreamItem>) -> CallResult<()> {
        let mut body = self.get().await?.bytes_stream();
        let mut received = 0;
        loop {
            let next = tokio::time::timeout(STALL, body.next()).await.map_err(|_| self.late())?;
            match next {
                None => return Ok(()),
                Some(Ok(data)) => {
                    received += data.len() as u64;
                    if received > self.rules.largest {
                        return Err(self.too_large());
                    }
                    if sender.send(StreamItem::Data(data)).await.is_err() {
                        return Ok(());
                    }
                }
                Some(Err(error)) => return Err(self.broken("was cut", error)),
            }
        }
    }

    async fn get(&self) -> CallResult<Response> {
        let (mut url, mut headers) = (self.url.clone(), self.headers.clone());
        for _ in 0..=REDIRECTS {
            let request = self.client(&url).await?.get(url.clone()).headers(headers.clone());
            let sent = tokio::time::timeout(STALL, request.send()).await.map_err(|_| self.late())?;
            let response = sent.map_err(|error| self.broken("failed", error))?;
            let status = response.status();
            if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return if status.is_success() { Ok(response) } else { Err(self.refused(status)) };
            }
            let next = response.headers().get(LOCATION).and_then(|place| url.join(place.to_str().ok()?).ok());
            let next = next.filter(|next| matches!(next.scheme(), "http" | "https"));
            let next = next.ok_or_else(|| self.trouble("was redirected to nowhere"))?;
            if next.origin() != url.origin() {
                headers = public(&headers);
            }
            url = next;
        }
        Err(self.trouble("was redirected more than 10 times"))
    }

    async fn upload(&self, mut pieces: mpsc::Receiver<CallResult<bytes::Bytes>>) -> CallResult<()> {
        let body = futures_util::stream::poll_fn(move |context| pieces.poll_recv(context));
        let body = body.map(|piece| piece.map_err(|failure| std::io::Error::other(failure.text)));
        let request = self
            .client(&self.url)
            .await?
            .request(Method::PUT, self.url.clone())
            .headers(self.headers.clone());
        let response = request.body(Body::wrap_stream(body)).send().await;
        let status = response.map_err(|error| self.broken("failed", error))?.status();
        if status.is_success() { Ok(()) } else { Err(self.refused(status)) }
    }

    /// A client for one request, which goes to addresses that may be asked and to no others: a name is resolved once. One for
    /// plain HTTP loads no certificates of the system: there may be none.
    async fn client(&self, url: &Url) -> CallResult<Client> {
        let addresses = self.addresses(url).await?;
        // An error says that the process has a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .tcp_keepalive(Duration::from_secs(20))
            .resolve_to_addrs(url.host_str().unwrap_or_default(), &addresses)
            .no_proxy();
        let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
        builder
            .build()
            .map_err(|error| CallFailure::new(Code::Internal, format!("no HTTP client: {}", causes(&error))))
    }

    /// The addresses of the server of `url` that may be asked.
    async fn addresses(&self, url: &Url) -> CallResult<Vec<SocketAddr>> {
        self.rules.check_scheme(url.scheme() == "https").map_err(|reason| self.not_allowed(&reason))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let found = tokio::time::timeout(
            CONNECT,
            tokio::net::lookup_host((host, url.port_or_known_default().unwrap_or(80))),
        );
        let found = found.await.map_err(|_| self.late())?;
        let found: Vec<_> = found.map_err(|error| self.unknown(&error))?.collect();
        let allowed = self.rules.allowed(found.into_iter());
        allowed.map_err(|reason| self.not_allowed(&reason))
    }

    fn not_allowed(&self, reason: &str) -> CallFailure {
        let mut failure =
            self.trouble(&format!("is not made: {reason}; `flasher serve` has options for what it fetches"));
        failure.code = Code::PermissionDenied;
        failure
    }

    fn unknown(&self, error: &std::io::Error) -> CallFailure {
        let mut failure = self.trouble(&format!("failed: the server's name has no address: {error}"));
        failure.code = Code::Unavailable;
        failure
    }

    fn too_large(&self) -> CallFailure {
        let mut failure =
            self.trouble(&format!("has more than {} bytes, the most that is fetched", self.rules.largest));
        failure.code = Code::ResourceExhausted;
        failure
    }

    fn method(&self) -> &'static str {
        if self.put { "PUT" } else { "GET" }
    }

    fn trouble(&self, what: &str) -> CallFailure {
        CallFailure::new(
            Code::Unknown,
            format!("presigned HTTP {} of {} {what}", self.method(), shown(&self.url)),
        )
    }

    fn refused(&self, status: reqwest::StatusCode) -> CallFailure {
        self.trouble(&format!("was answered {status}"))
    }

    fn broken(&self, what: &str, error: reqwest::Error) -> CallFailure {
        let mut failure = self.trouble(&format!("{what}: {}", causes(&error.without_url())));
        failure.code = Code::Unavailable;
        failure
    }

    fn late(&self) -> CallFailure {
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

    /// A server at loopback that gives each request the same answer; its port.
    async fn server(answer: String) -> u16 {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        port
    }

    /// What a `GET` of `url` gives within `rules`.
    async fn get(url: &str, rules: FetchRules) -> CallResult<String> {
        let request = Presigned::new(Some("GET"), url, &[])?.within(rules);
        let mut source = request.fetch(CancellationToken::new())?;
        let mut all = Vec::new();
        loop {
            match source.next().await {
                StreamItem::Data(data) => all.extend_from_slice(&data),
                StreamItem::End => return Ok(String::from_utf8(all).unwrap()),
                StreamItem::Broken(failure) => return Err(failure),
            }
        }
    }

    #[tokio::test]
    async fn fetch_rules_hold_for_names_and_redirects() {
        let body = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        let port = server(body.to_owned()).await;
        let moved = |to: &str| format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
        let [to_cloud, to_file] = ["http://169.254.169.254/latest", "file:///etc/passwd"].map(moved);
        let (to_cloud, to_file) = (server(to_cloud).await, server(to_file).await);
        let local = FetchRules { is_local: true, ..FetchRules::default() };
        let check = async |url: String, rules: &FetchRules, expected: Result<&str, &str>| {
            let got = get(&url, rules.clone()).await;
            let got = got.as_deref().map_err(|failure| failure.text.as_str());
            match (got, expected) {
                (Err(text), Err(part)) => assert!(text.contains(part), "{url}: {text}"),
                (got, expected) => assert_eq!(got, expected, "{url}"),
            }
        };
        let own =
            "is an address of this machine itself, which is for its own users; `flasher serve` has options";
        let at = |host: &str| format!("http://{host}:{port}/a");
        check(at("127.0.0.1"), &local, Ok("hello")).await;
        check(at("localhost"), &local, Ok("hello")).await;
        for host in ["127.0.0.1", "localhost", "0", "[::ffff:127.0.0.1]", "2130706433"] {
            check(at(host), &FetchRules::default(), Err(own)).await;
        }
        let cloud = "169.254.169.254 is an address where clouds keep the credentials of a machine";
        check("http://169.254.169.254/latest".to_owned(), &local, Err(cloud)).await;
        check(format!("http://127.0.0.1:{to_cloud}/"), &local, Err(cloud)).await;
        check(format!("http://127.0.0.1:{to_file}/"), &local, Err("was redirected to nowhere")).await;
        let networks = vec!["10.0.0.0/8".parse().unwrap()];
        let elsewhere = FetchRules { networks, ..local.clone() };
        check(at("127.0.0.1"), &elsewhere, Err("127.0.0.1 is in no network that is fetched from here")).await;
        let secure = FetchRules { https_only: true, ..local.clone() };
        check(at("127.0.0.1"), &secure, Err("only https is fetched here")).await;
        check(at("127.0.0.1"), &FetchRules { largest: 5, ..local.clone() }, Ok("hello")).await;
        let small = FetchRules { largest: 4, ..local.clone() };
        check(at("127.0.0.1"), &small, Err("has more than 4 bytes, the most that is fetched")).await;
        check("http://nowhere.invalid/".to_owned(), &local, Err("the server's name has no address")).await;
    }

    #[tokio::test]
    async fn nothing_is_sent_either_where_nothing_may_be_asked() {
        let port = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
        let request = Presigned::new(Some("PUT"), &format!("http://127.0.0.1:{port}/a"), &[]).unwrap();
        let sink = request.send(CancellationToken::new(), 5).unwrap();
        let work = move || sink.copy_from(&mut &b"hello"[..]);
        let verdict = tokio::task::spawn_blocking(work).await.unwrap().unwrap().unwrap().await.unwrap();
        assert_eq!(verdict.unwrap_err().code, Code::PermissionDenied);
    }
}
