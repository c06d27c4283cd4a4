//! One request and its answer: bounded in time and length, no redirects, no secrets in errors.

use std::path::PathBuf;
use std::time::Duration;

use flasher_core::safe;
use flasher_core::switch::secret_line;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Certificate, Client, RequestBuilder, Response, Url, redirect};

use crate::config::{Auth, Method, RequestConfig};
use crate::digest::{Challenge, LoginRequest, hex};
use crate::error::Error;

/// Most of an answer that is read, bytes.
const LONGEST: usize = 64 * 1024;

/// Parts of the names of parameters that hold a login.
const SECRETS: [&str; 6] = ["user", "pass", "token", "secret", "auth", "key"];

/// A request with its URL parsed.
#[derive(Clone, Debug)]
pub(crate) struct PreparedRequest {
    pub(crate) url: Url,
    request: RequestConfig,
}

impl PreparedRequest {
    /// Puts host and outlet in, and reads the URL.
    pub(crate) fn new(
        key: &'static str,
        request: RequestConfig,
        host: Option<&str>,
        outlet: u32,
    ) -> Result<Self, Error> {
        let fill = |text: &str| {
            let text = text.replace("{outlet}", &outlet.to_string());
            match host {
                None if text.contains("{host}") => Err(Error::Host),
                None => Ok(text),
                Some(host) => Ok(text.replace("{host}", host)),
            }
        };
        let url = Url::parse(&fill(&request.url)?).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https")).ok_or(Error::Url { key })?;
        let body = request.body.as_deref().map(fill).transpose()?;
        Ok(Self { url, request: RequestConfig { body, ..request } })
    }

    /// Host, without brackets, and port.
    pub(crate) fn place(&self) -> (&str, u16) {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        (host, self.url.port_or_known_default().unwrap_or(80))
    }

    /// What is asked of the host, without what looks like a login.
    pub(crate) fn order(&self) -> String {
        let open = |name: &str| !SECRETS.iter().any(|it| name.to_ascii_lowercase().contains(it));
        let query = self.url.query_pairs().filter(|(name, _)| open(name));
        let query: Vec<String> = query.map(|(name, value)| format!("{name}={value}")).collect();
        let body = self.request.body.as_deref().unwrap_or_default();
        format!("{} {} {} {body}", self.request.method.word(), self.url.path(), query.join("&"))
    }

    /// The URL without what may be secret.
    pub(crate) fn shown(&self) -> String {
        let mut url = self.url.clone();
        // It fails for URLs without a host, which http has not.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        url.to_string()
    }
}

/// Login, headers, certificate and timeout of every request.
#[derive(Debug)]
pub(crate) struct RequestSettings {
    pub(crate) user: Option<String>,
    pub(crate) auth: Auth,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) headers: HeaderMap,
    pub(crate) cacert: Option<PathBuf>,
    pub(crate) timeout: Duration,
}

/// Header fields of a config, marked as secret.
pub(crate) fn headers<'a>(
    fields: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> Result<HeaderMap, Error> {
    let wrong = |name: &str| Error::Value { key: "headers", reason: format!("`{name}` is no header field") };
    let field = |(name, value): (&String, &String)| {
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(name))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong(name))?;
        value.set_sensitive(true);
        Ok((key, value))
    };
    fields.into_iter().map(field).collect()
}

impl RequestSettings {
    /// Asks; gives the body of an answer that is a success.
    pub(crate) async fn ask(&self, prepared: &PreparedRequest) -> Result<String, Error> {
        let late = || Error::Late { url: prepared.shown(), seconds: self.timeout.as_secs_f64() };
        let answer = tokio::time::timeout(self.timeout, self.exchange(prepared)).await;
        let (status, body) = answer.map_err(|_| late())??;
        match status {
            200..=299 => match refusal(&body) {
                Some((said, of_the_user)) => Err(Error::Refused { url: prepared.shown(), said, of_the_user }),
                None => Ok(body),
            },
            401 | 403 => Err(Error::User { url: prepared.shown(), status }),
            _ => Err(Error::Status { url: prepared.shown(), status }),
        }
    }

    /// Asks once, or once more with an answer to what the device wants to know; gives status and body.
    async fn exchange(&self, prepared: &PreparedRequest) -> Result<(u16, String), Error> {
        let away = |error| unreached(prepared, error);
        let mut response = self.request(prepared).await?.send().await.map_err(away)?;
        if let (401, Auth::Digest, Some(user)) = (response.status().as_u16(), self.auth, &self.user) {
            let login = self.login(prepared, user, &response).await?;
            let again = self.request(prepared).await?.header(AUTHORIZATION, login);
            response = again.send().await.map_err(away)?;
        }
        let body = body(&mut response).await.map_err(away)?;
        Ok((response.status().as_u16(), body))
    }

    /// The answer to the challenge in `response`.
    async fn login(
        &self,
        prepared: &PreparedRequest,
        user: &str,
        response: &Response,
    ) -> Result<HeaderValue, Error> {
        let fields = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let unknown = || Error::Login { url: prepared.shown() };
        let challenge = Challenge::pick(fields.filter_map(|it| it.to_str().ok())).ok_or_else(unknown)?;
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|error| Error::Value { key: "auth", reason: error.to_string() })?;
        let query = prepared.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let answer = challenge.answer(&LoginRequest {
            user,
            password: &self.password().await?.unwrap_or_default(),
            method: prepared.request.method.word(),
            uri: &format!("{}{query}", prepared.url.path()),
            cnonce: &hex(&random),
        });
        let mut field = HeaderValue::from_str(&answer).map_err(|_| unknown())?;
        field.set_sensitive(true);
        Ok(field)
    }

    async fn request(&self, prepared: &PreparedRequest) -> Result<RequestBuilder, Error> {
        let client = self.client().await?;
        let url = prepared.url.clone();
        let mut request = match prepared.request.method {
            Method::Get => client.get(url),
            Method::Post => client.post(url),
            Method::Put => client.put(url),
        };
        if let Some(body) = &prepared.request.body {
            let media = prepared.request.content_type.as_deref().unwrap_or("application/json");
            request = request.header(CONTENT_TYPE, media).body(body.clone());
        }
        if let (Some(user), Auth::Basic) = (&self.user, self.auth) {
            request = request.basic_auth(user, self.password().await?);
        }
        Ok(request.headers(self.headers.clone()))
    }

    /// A client for one request: a switch is asked twice an hour, and its address may be another one by then.
    async fn client(&self) -> Result<Client, Error> {
        // An error says that the process has a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
        let mut builder = Client::builder().user_agent(agent).redirect(redirect::Policy::none()).no_proxy();
        if let Some(file) = &self.cacert {
            let wrong = |reason: String| Error::File { key: "cacert", reason };
            let pem = tokio::fs::read(file).await.map_err(|error| wrong(error.to_string()))?;
            let certificates =
                Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
            if certificates.is_empty() {
                return Err(wrong("it has no certificate".to_owned()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        builder.build().map_err(|error| Error::File { key: "cacert", reason: error.to_string() })
    }

    /// The files of the config are there and of use.
    pub(crate) async fn check_files(&self) -> Result<(), Error> {
        if self.cacert.is_some() {
            self.client().await?;
        }
        self.password().await.map(drop)
    }

    async fn password(&self) -> Result<Option<String>, Error> {
        let Some(file) = &self.password_file else { return Ok(None) };
        let line = secret_line(file).await;
        line.map(Some).map_err(|error| Error::File { key: "password_file", reason: error.to_string() })
    }
}

/// The beginning of an answer, for a message.
pub(crate) fn beginning(said: &str) -> String {
    safe::short(&safe::one_line(said), 120)
}

/// What a device says that takes no order and yet answers with a success, and whether it asks for a login: Tasmota's
/// `{"Command":"Unknown"}` and `{"WARNING":"Need user=…"}`, Shelly's `{"code":-105,"message":"…"}`.
fn refusal(body: &str) -> Option<(String, bool)> {
    let answer: serde_json::Value = serde_json::from_str(body).ok()?;
    let word = |key: &str| answer.get(key).and_then(serde_json::Value::as_str);
    let refused = matches!(word("Command"), Some("Unknown" | "Error"))
        || (answer.get("code").and_then(serde_json::Value::as_i64).is_some_and(|code| code < 0)
            && word("message").is_some());
    match word("WARNING") {
        Some(warning) => Some((beginning(body), warning.contains("user"))),
        None => refused.then(|| (beginning(body), false)),
    }
}

async fn body(response: &mut Response) -> reqwest::Result<String> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        let room = LONGEST - body.len();
        body.extend_from_slice(&piece[..piece.len().min(room)]);
        if body.len() == LONGEST {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// The innermost reason, which names no URL.
fn unreached(prepared: &PreparedRequest, error: reqwest::Error) -> Error {
    let error = error.without_url();
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(deeper) = innermost.source() {
        innermost = deeper;
    }
    Error::Reach { url: prepared.shown(), reason: innermost.to_string() }
}
