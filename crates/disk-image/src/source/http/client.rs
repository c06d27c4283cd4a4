//! Asks a server for a source: redirects that keep secrets at home, deadlines, and errors that name their cause.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flasher_base::source_exchange::{SourceAnswer, SourceExchanges, SourceRequest};
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, IF_RANGE, LOCATION, RANGE};
use reqwest::{Certificate, Client, Response, StatusCode, Url, redirect};

use super::answer::SourceResponse;
use super::causes::chain;
use super::retry::RetryBudget;
use super::trust::CertificateFault;
use super::validator::Validator;
use super::{credentials, exchange, proxy, said, trust};
use crate::{Blamed as _, Digest, Error, FetchGuard, SourceOptions};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REDIRECTS: usize = 10;

/// What is needed to ask for the source again and again.
pub(crate) struct Http {
    pub(super) label: String,
    url: Url,
    headers: HeaderMap,
    certificates: Vec<Certificate>,
    insecure: bool,
    guard: Option<Arc<dyn FetchGuard>>,
    pub(super) exchanges: Option<Arc<dyn SourceExchanges>>,
    stall: Duration,
    pub(super) retries: u32,
}

/// A part of the source that is wanted.
pub(super) struct WantedPart {
    from: u64,
    /// One past its last byte; none goes to the end.
    until: Option<u64>,
    /// The tag of the version that it must be of.
    proof: HeaderValue,
}

impl Http {
    /// Prepares requests for `url`. Percent-encoded characters and the query are sent as they were given.
    pub(crate) async fn new(label: &str, url: &str, options: &SourceOptions) -> Result<Http, Error> {
        let url = Url::parse(url).map_err(|e| Error::Url { label: label.into(), reason: e.to_string() })?;
        let headers = credentials::headers(label, options)?;
        let certificates = credentials::certificates(label, options).await?;
        let (insecure, stall, retries) = (options.insecure, options.stall(), options.retries());
        let (label, guard, exchanges) = (label.into(), options.guard.clone(), options.exchanges.clone());
        Ok(Http { label, url, headers, certificates, insecure, guard, exchanges, stall, retries })
    }

    /// Who asks, as a digest: the user information and headers that are sent, and whose certificates are accepted.
    pub(crate) fn asker(&self) -> Digest {
        let mut text =
            format!("{}\n{:?}\n{}", self.url.username(), self.url.password(), self.insecure).into_bytes();
        for (name, value) in &self.headers {
            text.extend([b"\n", name.as_str().as_bytes(), b":", value.as_bytes()].concat());
        }
        // The path of a signed URL identifies the object; the names of its parameters say how it is signed.
        let key = self.url.query_pairs().find(|(name, _)| name == "X-Amz-Credential");
        text.extend(key.iter().flat_map(|(_, id)| id.split('/').next().unwrap_or_default().bytes()));
        Digest::of(&text)
    }

    /// The whole source. Asks again when trying again may help.
    pub(crate) async fn get(&self) -> Result<SourceResponse, Error> {
        let mut patience = RetryBudget::new(self.retries);
        loop {
            match self.ask(None).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    self.asked_again(&error);
                    patience.pause(error).await?;
                }
            }
        }
    }

    /// The source from byte `offset` on if the server proves that it is still the one of `validator`, else the whole of it.
    pub(super) async fn get_from(&self, offset: u64, validator: &Validator) -> Result<SourceResponse, Error> {
        let wanted = validator.tag().map(|proof| WantedPart { from: offset, until: None, proof });
        let answer = self.ask(wanted).await?;
        match answer.offset {
            0 => Ok(answer),
            from if from == offset && validator.proves(&answer.validator) => Ok(answer),
            _ => self.ask(None).await, // a part, but not of what was asked for
        }
    }

    /// Bytes `from` to `until` of the source, if the server proves that it is still the one of `validator`.
    pub(crate) async fn get_part(
        &self,
        from: u64,
        until: u64,
        validator: &Validator,
    ) -> Result<SourceResponse, Error> {
        let part = validator.tag().map(|proof| WantedPart { from, until: Some(until), proof });
        let answer = self.ask(part).await?;
        match answer.offset == from && answer.until == Some(until) && validator.proves(&answer.validator) {
            true => Ok(answer),
            false if validator.excludes(&answer.validator) => Err(Error::Changed {
                label: self.label.clone(),
                before: validator.describe(),
                now: answer.validator.describe(),
            }),
            false => Err(Error::NoParts { label: self.label.clone() }),
        }
    }

    /// How often it is asked again.
    pub(crate) fn retries(&self) -> u32 {
        self.retries
    }

    /// Follows up to 10 redirects. Headers of the caller never reach another origin.
    pub(super) async fn ask(&self, part: Option<WantedPart>) -> Result<SourceResponse, Error> {
        let mut url = self.url.clone();
        let mut headers = self.headers.clone();
        for _ in 0..=REDIRECTS {
            let mut all = headers.clone();
            if let Some(WantedPart { from, until, proof }) = &part {
                let last = until.map(|until| until.saturating_sub(1).to_string()).unwrap_or_default();
                let range = HeaderValue::from_str(&format!("bytes={from}-{last}"));
                all.insert(RANGE, range.map_err(|e| self.machine(e.to_string()))?);
                all.insert(IF_RANGE, proof.clone());
            }
            let asked = exchange::request(&url, part.as_ref().map(|part| (part.from, part.until)));
            let response = self.request(&url, all, &asked).await?;
            if !response.status().is_redirection() {
                return self.answer(response, part.as_ref(), asked).await;
            }
            self.note(asked, || {
                exchange::response((response.url(), response.status().as_u16()), response.headers(), None)
            });
            let next = self.redirected(&url, &response)?;
            if next.origin() != url.origin() {
                headers.clear();
            }
            url = next;
        }
        Err(self.redirect_error(format!("more than {REDIRECTS} redirects")))
    }

    /// The answer of the server, or the one that stands in its place.
    async fn request(&self, url: &Url, headers: HeaderMap, asked: &SourceRequest) -> Result<Response, Error> {
        if let Some(answer) = self.exchanges.as_ref().and_then(|exchanges| exchanges.instead(asked)) {
            return exchange::played((self.label.clone(), self.stall), url, answer);
        }
        let response = self.send(url, headers).await;
        if let Some(answer) = response.as_ref().err().and_then(exchange::failure) {
            self.note(asked.clone(), || answer);
        }
        response
    }

    /// Says to who sees it that the server is asked again.
    pub(super) fn asked_again(&self, error: &Error) {
        if let Some(exchanges) = self.exchanges.as_ref().filter(|_| error.blame().is_retryable) {
            exchanges.asked_again(error.to_string());
        }
    }

    /// Shows what a server answered to who sees it.
    fn note(&self, asked: SourceRequest, answer: impl FnOnce() -> SourceAnswer) {
        if let Some(exchanges) = &self.exchanges {
            exchanges.answered(asked, answer());
        }
    }

    async fn send(&self, url: &Url, headers: HeaderMap) -> Result<Response, Error> {
        if let Some(proxy) = proxy::of(url).filter(|proxy| !proxy::is_known(proxy)) {
            return Err(Error::Proxy { label: self.label.clone(), proxy });
        }
        let addresses = self.addresses(url).await?;
        let request = self
            .client(url, addresses.as_deref())?
            .get(url.clone())
            .header(ACCEPT_ENCODING, "identity")
            .headers(headers);
        let sent = tokio::time::timeout(CONNECT_TIMEOUT.min(self.stall) + self.stall, request.send()).await;
        let waited = self.stall;
        sent.map_err(|_| Error::Stalled { label: self.label.clone(), received: 0, waited })?.map_err(
            |error| {
                let (label, trust) = (self.label.clone(), trust::of(&error));
                match (trust, error.is_connect()) {
                    (Some(CertificateFault::Certificate(reason)), _) => Error::Untrusted { label, reason },
                    (Some(CertificateFault::Protocol(reason)), _) => Error::NoTls { label, reason },
                    (None, true) => Error::Connect { label, reason: self.by_way_of(url, chain(error)) },
                    (None, false) => Error::Cut { label, received: 0, expected: None, reason: chain(error) },
                }
            },
        )
    }

    /// A client for one request. One for plain HTTP does not load the system's certificates: there may be none.
    fn client(&self, url: &Url, addresses: Option<&[SocketAddr]>) -> Result<Client, Error> {
        // An error says that the process has a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT.min(self.stall))
            .pool_max_idle_per_host(0)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate();
        let builder = match addresses {
            Some(addresses) => builder.resolve_to_addrs(url.host_str().unwrap_or_default(), addresses),
            None => builder,
        };
        let builder = match url.scheme() {
            "https" => builder
                .tls_certs_merge(self.certificates.clone())
                .tls_danger_accept_invalid_certs(self.insecure),
            _ => builder.tls_certs_only([]),
        };
        builder.build().map_err(|e| self.machine(chain(e)))
    }

    /// The addresses that may be asked, which is decided before any is; none when all may. A name is resolved once, so that it cannot
    /// mean another address a moment later. Names that a proxy of the environment resolves are known to it alone.
    async fn addresses(&self, url: &Url) -> Result<Option<Vec<SocketAddr>>, Error> {
        let Some(guard) = &self.guard else { return Ok(None) };
        let refused = |reason| Error::NotAllowed { label: self.label.clone(), reason };
        guard.check_scheme(url.scheme() == "https").map_err(refused)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let lookup = tokio::net::lookup_host((host, url.port_or_known_default().unwrap_or(80)));
        let found = tokio::time::timeout(CONNECT_TIMEOUT.min(self.stall), lookup).await;
        match found.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            Ok(found) => guard.allowed(found.collect()).map(Some).map_err(refused),
            Err(_) if proxy::of(url).is_some() => Ok(None),
            Err(error) => {
                let (label, reason) = (self.label.clone(), format!("its name has no address: {error}"));
                Err(Error::Connect { label, reason })
            }
        }
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

    fn machine(&self, reason: String) -> Error {
        Error::Machine { label: self.label.clone(), reason }
    }

    async fn answer(
        &self,
        response: Response,
        part: Option<&WantedPart>,
        asked: SourceRequest,
    ) -> Result<SourceResponse, Error> {
        let (label, status) = (self.label.clone(), response.status().as_u16());
        let largest = self.guard.as_ref().map(|guard| guard.largest());
        if !response.status().is_success() {
            return Err(self.refusal(response, asked).await);
        }
        self.note(asked, || {
            exchange::response((response.url(), response.status().as_u16()), response.headers(), None)
        });
        match response.status() {
            StatusCode::OK => SourceResponse::whole(label, response, self.stall).at_most(largest),
            StatusCode::PARTIAL_CONTENT if part.is_some() => {
                let until = part.and_then(|part| part.until);
                SourceResponse::part(label, response, self.stall, until)?.at_most(largest)
            }
            _ => Err(Error::Status { label, status, said: said::of(response).await }),
        }
    }

    /// What a status that is no success means.
    async fn refusal(&self, response: Response, asked: SourceRequest) -> Error {
        let (label, status, headers) = (self.label.clone(), response.status(), response.headers().clone());
        let url = response.url().clone();
        let said = said::of(response).await;
        self.note(asked, || exchange::response((&url, status.as_u16()), &headers, said.clone()));
        let code = status.as_u16();
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Error::NotFound { label, status: code },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Error::Unauthorized { label, status: code, said }
            }
            _ => Error::Status { label, status: code, said },
        }
    }

    /// `reason`, and the proxy that stands between, if there is one: then nothing is known of the server itself.
    fn by_way_of(&self, url: &Url, reason: String) -> String {
        match proxy::of(url) {
            Some(proxy) => format!("{reason}; by way of the proxy `{proxy}` of the environment"),
            None => reason,
        }
    }
}
