//! Fetches a source over HTTP(S): redirects that keep secrets at home, deadlines, and ends that prove themselves.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION, TRANSFER_ENCODING,
};
use reqwest::{Certificate, Client, Response, StatusCode, Url, Version, redirect};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::error::chain;
use crate::{Error, SourceOptions};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REDIRECTS: usize = 10;
/// Chunks between the network and the decoder; hyper's are at most some hundred KiB.
const QUEUE: usize = 4;

/// What is needed to ask for the source again and again.
pub(crate) struct Http {
    label: String,
    url: Url,
    headers: HeaderMap,
    certificates: Vec<Certificate>,
    insecure: bool,
    stall: Duration,
}

impl Http {
    /// Prepares requests for `url`. Percent-encoded characters and the query are sent as they were given.
    pub(crate) async fn new(label: &str, url: &str, options: &SourceOptions) -> Result<Http, Error> {
        let url = Url::parse(url).map_err(|e| Error::Url { label: label.into(), reason: e.to_string() })?;
        let headers = headers(label, options)?;
        let certificates = certificates(label, options).await?;
        let (insecure, stall) = (options.insecure, options.stall());
        Ok(Http { label: label.into(), url, headers, certificates, insecure, stall })
    }

    /// Asks for the source and follows up to 10 redirects. Headers of the caller never reach another origin.
    pub(crate) async fn get(&self) -> Result<Answer, Error> {
        let mut url = self.url.clone();
        let mut headers = self.headers.clone();
        for _ in 0..=REDIRECTS {
            let response = self.request(&url, &headers).await?;
            if !response.status().is_redirection() {
                return self.answer(response);
            }
            let next = self.redirected(&url, &response)?;
            if next.origin() != url.origin() {
                headers.clear();
            }
            url = next;
        }
        Err(self.redirect_error(format!("more than {REDIRECTS} redirects")))
    }

    async fn request(&self, url: &Url, headers: &HeaderMap) -> Result<Response, Error> {
        let request =
            self.client(url)?.get(url.clone()).header(ACCEPT_ENCODING, "identity").headers(headers.clone());
        let sent = tokio::time::timeout(CONNECT_TIMEOUT + self.stall, request.send()).await;
        let waited = self.stall;
        sent.map_err(|_| Error::Stalled { label: self.label.clone(), received: 0, waited })?.map_err(
            |error| {
                let label = self.label.clone();
                match error.is_connect() {
                    true => Error::Connect { label, reason: chain(error) },
                    false => Error::Cut { label, received: 0, expected: None, reason: chain(error) },
                }
            },
        )
    }

    /// A client for one request. One for plain HTTP does not load the system's certificates: there may be none.
    fn client(&self, url: &Url) -> Result<Client, Error> {
        // An error says that the process has a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(0)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate();
        let builder = match url.scheme() {
            "https" => builder
                .tls_certs_merge(self.certificates.clone())
                .tls_danger_accept_invalid_certs(self.insecure),
            _ => builder.tls_certs_only([]),
        };
        builder.build().map_err(|e| Error::Machine { label: self.label.clone(), reason: chain(e) })
    }

    fn redirected(&self, url: &Url, response: &Response) -> Result<Url, Error> {
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let next = location.and_then(|location| url.join(location).ok());
        next.filter(|next| matches!(next.scheme(), "http" | "https")).ok_or_else(|| {
            self.redirect_error(format!(
                "its server redirects (status {}) to no http URL",
                response.status().as_u16()
            ))
        })
    }

    fn redirect_error(&self, reason: String) -> Error {
        Error::Redirect { label: self.label.clone(), reason }
    }

    fn answer(&self, response: Response) -> Result<Answer, Error> {
        let (label, status) = (self.label.clone(), response.status().as_u16());
        match response.status() {
            StatusCode::OK => Ok(Answer::new(label, response, self.stall)),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(Error::NotFound { label, status }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Error::Unauthorized { label, status }),
            _ => Err(Error::Status { label, status }),
        }
    }
}

/// The caller's headers, marked so that no debug output shows their values.
fn headers(label: &str, options: &SourceOptions) -> Result<HeaderMap, Error> {
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

async fn certificates(label: &str, options: &SourceOptions) -> Result<Vec<Certificate>, Error> {
    let Some(path) = &options.cacert else { return Ok(Vec::new()) };
    let unusable = |reason: String| Error::Certificates { label: label.into(), path: path.clone(), reason };
    let pem = tokio::fs::read(path).await.map_err(|e| unusable(e.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|e| unusable(chain(e)))?;
    match found.is_empty() {
        true => Err(unusable("it holds no certificate".into())),
        false => Ok(found),
    }
}

/// An answer with status 200 whose body is read chunk by chunk.
pub(crate) struct Answer {
    label: String,
    response: Response,
    stall: Duration,
    received: u64,
    /// Bytes announced by Content-Length.
    pub(crate) length: Option<u64>,
    /// Whether a cut can be told from the end (RFC 9112 section 6.3: not if only the close of the connection ends the body).
    pub(crate) framed: bool,
}

impl Answer {
    fn new(label: String, response: Response, stall: Duration) -> Answer {
        let length = response.content_length();
        let http1 = matches!(response.version(), Version::HTTP_09 | Version::HTTP_10 | Version::HTTP_11);
        let framed = length.is_some() || !http1 || response.headers().contains_key(TRANSFER_ENCODING);
        Answer { label, response, stall, received: 0, length, framed }
    }

    /// The next bytes of the body, never none of them; `None` is its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let chunk = tokio::time::timeout(self.stall, self.response.chunk()).await;
            match chunk.map_err(|_| self.stalled())?.map_err(|e| self.cut(chain(e)))? {
                Some(chunk) if chunk.is_empty() => {}
                Some(chunk) => {
                    self.received += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                None if self.length.is_some_and(|length| length != self.received) => {
                    return Err(self.cut("the body ended early".into()));
                }
                None => return Ok(None),
            }
        }
    }

    /// The first `wanted` bytes of the body, fewer only if it has no more.
    pub(crate) async fn head(&mut self, wanted: usize) -> Result<Vec<u8>, Error> {
        let mut head = Vec::new();
        while head.len() < wanted {
            let Some(chunk) = self.next().await? else { break };
            head.extend_from_slice(&chunk[..chunk.len().min(wanted - head.len())]);
        }
        Ok(head)
    }

    fn stalled(&self) -> Error {
        Error::Stalled { label: self.label.clone(), received: self.received, waited: self.stall }
    }

    fn cut(&self, reason: String) -> Error {
        Error::Cut { label: self.label.clone(), received: self.received, expected: self.length, reason }
    }
}

/// The body of a new answer, read by a thread while a task fetches it.
pub(crate) struct Body {
    label: String,
    chunks: mpsc::Receiver<Result<Bytes, Error>>,
    rest: Bytes,
    ended: bool,
}

impl Body {
    /// Asks for the source anew. Its length must still be `expected`. The handle stops the transfer.
    pub(crate) fn start(runtime: &Handle, http: Arc<Http>, expected: Option<u64>) -> (Body, AbortHandle) {
        let (sender, chunks) = mpsc::channel(QUEUE);
        let label = http.label.clone();
        let task = runtime.spawn(async move {
            if let Err(error) = pump(&http, expected, &sender).await {
                // A receiver that is gone wants no error either.
                let _ = sender.send(Err(error)).await;
            }
        });
        (Body { label, chunks, rest: Bytes::new(), ended: false }, task.abort_handle())
    }

    /// Reads some bytes into `buffer`; 0 is the end. Blocks.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if self.rest.is_empty() && !self.ended {
            // Without the mark of the end (no bytes) the task was stopped: that is no end.
            self.rest =
                self.chunks.blocking_recv().ok_or_else(|| Error::Ended { label: self.label.clone() })??;
            self.ended = self.rest.is_empty();
        }
        let count = self.rest.len().min(buffer.len());
        self.rest.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// Hands over the body and then no bytes as the mark of its end.
async fn pump(
    http: &Http,
    expected: Option<u64>,
    sender: &mpsc::Sender<Result<Bytes, Error>>,
) -> Result<(), Error> {
    let mut answer = http.get().await?;
    if answer.length != expected {
        let told = |length: Option<u64>| {
            length.map_or("of no known length".into(), |length| format!("{length} bytes"))
        };
        return Err(Error::Changed {
            label: http.label.clone(),
            before: told(expected),
            now: told(answer.length),
        });
    }
    while let Some(chunk) = answer.next().await? {
        if sender.send(Ok(chunk)).await.is_err() {
            return Ok(());
        }
    }
    let _ = sender.send(Ok(Bytes::new())).await; // no receiver, no need of an end
    Ok(())
}
