//! From a request to its answer.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use flasher_core::{CancellationToken, Content, TransferLog};
use tokio_util::sync::DropGuard;
use warp::Reply;
use warp::http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    LAST_MODIFIED,
};
use warp::http::{HeaderMap, Method, StatusCode};
use warp::reply::Response;

use crate::body::{self, Body};
use crate::clients::Activity;
use crate::conditions::{ConditionalOutcome, Version};
use crate::report::TransferReport;
use crate::sendfile::Spans;
use crate::site::{Published, PublishedBody, Site};
use crate::upload::{Incoming, ReceivingUpload, UploadRejection};

/// One client's connection and what it may be sent.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    pub(crate) site: Site,
    pub(crate) log: TransferLog,
    /// What the connection does, for those that wait for its place.
    pub(crate) activity: Arc<Activity>,
    /// Cancelled to reset this connection at once; also by a body that broke off.
    pub(crate) cut: CancellationToken,
    /// Cancelled when the server stops without waiting any longer.
    pub(crate) stopped: CancellationToken,
    /// How the kernel sends files by itself.
    pub(crate) spans: Spans,
}

/// One request, its path still percent-encoded.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

impl Request {
    fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    fn sends(&self) -> bool {
        matches!(self.method, Method::PUT | Method::POST)
    }
}

/// Why a request is refused: the status, and the methods the path allows.
struct Rejection {
    status: StatusCode,
    /// What the path can be asked for, with 405.
    allow: &'static str,
}

impl From<StatusCode> for Rejection {
    fn from(status: StatusCode) -> Self {
        Self { status, allow: FETCH }
    }
}

const FETCH: &str = "GET, HEAD";
const SEND: &str = "PUT, POST";
const NOT_ALLOWED: StatusCode = StatusCode::METHOD_NOT_ALLOWED;

impl Connection {
    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request, body: Incoming) -> Response {
        let report = self.report(&request);
        match self.find(&request, body, &report).await {
            Ok(response) => response,
            Err(rejection) => {
                let mut response = refuse(request.is_head(), &report, rejection.status);
                if rejection.status == NOT_ALLOWED {
                    set(&mut response, ALLOW, rejection.allow);
                }
                response
            }
        }
    }

    /// Answers a request that does not say for which host it is.
    pub(crate) fn without_host(&self, request: &Request) -> Response {
        let report = self.report(request);
        refuse(request.is_head(), &report, StatusCode::BAD_REQUEST)
    }

    fn report(&self, request: &Request) -> TransferReport {
        TransferReport::new(self.log.clone(), self.peer, &request.path, self.activity.request())
    }

    async fn find(
        &self,
        request: &Request,
        body: Incoming,
        report: &TransferReport,
    ) -> Result<Response, Rejection> {
        let path = decode(&request.path).ok_or(StatusCode::BAD_REQUEST)?;
        let path = server_kit::requested(path.as_bytes());
        let path = path.to_str().ok_or(StatusCode::BAD_REQUEST)?;
        let fetches = matches!(request.method, Method::GET | Method::HEAD);
        let not_allowed = |allow| Err(Rejection { status: NOT_ALLOWED, allow });
        if let Some(Published { what, withdrawn }) = self.site.find(path) {
            return match what {
                PublishedBody::Content(content) if fetches => {
                    Ok(self.send_content(request, report, path, content, withdrawn)?)
                }
                PublishedBody::Upload(upload) if request.sends() => {
                    let taking = taking(request, body, report, withdrawn);
                    Ok(taken(taking.into_sink(&upload).await))
                }
                PublishedBody::Content(_) => not_allowed(FETCH),
                PublishedBody::Upload(_) => not_allowed(SEND),
            };
        }
        if fetches { Ok(self.send_file(request, report, path).await?) } else { not_allowed(FETCH) }
    }

    fn send_content(
        &self,
        request: &Request,
        report: &TransferReport,
        path: &str,
        content: Content,
        withdrawn: CancellationToken,
    ) -> Result<Response, StatusCode> {
        let length = content.length();
        let mut response = if request.is_head() {
            warp::reply().into_response()
        } else {
            let pieces = content.open().ok_or(StatusCode::GONE)?;
            report.begun(length, if length.is_none() { "chunked".into() } else { String::new() });
            let body = self.body(pieces, length, report).counting(content);
            let watch = self.cut_when(withdrawn.clone());
            stream(body.cut_by(withdrawn, "the content was withdrawn"), watch)
        };
        set(&mut response, CONTENT_TYPE, media_type(path));
        set(&mut response, ACCEPT_RANGES, "none");
        if let Some(length) = length {
            set(&mut response, CONTENT_LENGTH, &length.to_string());
        }
        Ok(response)
    }

    async fn send_file(
        &self,
        request: &Request,
        report: &TransferReport,
        path: &str,
    ) -> Result<Response, StatusCode> {
        let (file, version) = self.open(path).await.map_err(|error| status_of(&error))?;
        let (status, start, end) = match version.answer(&request.headers) {
            ConditionalOutcome::Whole => (StatusCode::OK, 0, version.length),
            ConditionalOutcome::Part { start, end } => (StatusCode::PARTIAL_CONTENT, start, end),
            ConditionalOutcome::NotModified => return Ok(empty(StatusCode::NOT_MODIFIED, &version)),
            ConditionalOutcome::PreconditionFailed => return Err(StatusCode::PRECONDITION_FAILED),
            ConditionalOutcome::Unsatisfiable => return Ok(unsatisfiable(request, report, &version)),
        };
        let range = (status == StatusCode::PARTIAL_CONTENT)
            .then(|| format!("bytes {start}-{}/{}", end - 1, version.length));
        let mut response = if request.is_head() {
            warp::reply().into_response()
        } else {
            let pieces = body::of_file(file, start, end, self.spans.clone());
            report.begun(Some(end - start), range.clone().unwrap_or_default());
            let body = self.body(pieces, Some(end - start), report);
            stream(body.sent_by(self.spans.clone()), None)
        };
        *response.status_mut() = status;
        identify(&mut response, &version);
        set(&mut response, CONTENT_TYPE, media_type(path));
        set(&mut response, CONTENT_LENGTH, &(end - start).to_string());
        if let Some(range) = range {
            set(&mut response, CONTENT_RANGE, &range);
        }
        Ok(response)
    }

    fn body(
        &self,
        pieces: flasher_core::driver::ContentStream,
        length: Option<u64>,
        report: &TransferReport,
    ) -> Body {
        Body::new(pieces, length, report.clone(), self.cut.clone())
            .cut_by(self.stopped.clone(), "the server stopped")
    }

    async fn open(&self, path: &str) -> io::Result<(File, Version)> {
        let (root, path) = (self.site.root().to_owned(), PathBuf::from(path));
        tokio::task::spawn_blocking(move || {
            let file = server_kit::open(&root, &path)?;
            let about = file.metadata()?;
            let version = Version::new(about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len());
            Ok((file, version))
        })
        .await
        .map_err(io::Error::other)?
    }

    /// Cuts the connection when `token` is cancelled before the returned guard is dropped. The body alone could not: a
    /// client that does not read keeps it from being asked for more.
    fn cut_when(&self, token: CancellationToken) -> Option<DropGuard> {
        let (cut, over) = (self.cut.clone(), CancellationToken::new());
        let guard = over.clone().drop_guard();
        tokio::spawn(async move {
            tokio::select! {
                () = over.cancelled() => {}
                () = token.cancelled() => cut.cancel(),
            }
        });
        Some(guard)
    }
}

fn stream(body: Body, guard: Option<DropGuard>) -> Response {
    let guarded = futures_util::StreamExt::map(body, move |piece| {
        let _until_the_body_ends = &guard;
        piece
    });
    warp::reply::stream(guarded).into_response()
}

fn refuse(is_head: bool, report: &TransferReport, status: StatusCode) -> Response {
    if !is_head {
        report.failed(0, status.to_string());
    }
    warp::reply::with_status(format!("{status}\n"), status).into_response()
}

fn taking(
    request: &Request,
    body: Incoming,
    report: &TransferReport,
    withdrawn: CancellationToken,
) -> ReceivingUpload {
    let announced = request.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    ReceivingUpload::new(body, announced, withdrawn, report.clone())
}

fn taken(outcome: Result<u64, UploadRejection>) -> Response {
    let (status, text) = match outcome {
        Ok(bytes) => (StatusCode::OK, format!("{bytes} bytes taken\n")),
        Err(UploadRejection { status, reason }) => (status, format!("{status}: {reason}\n")),
    };
    warp::reply::with_status(text, status).into_response()
}

fn empty(status: StatusCode, version: &Version) -> Response {
    let mut response = warp::reply::with_status(warp::reply(), status).into_response();
    identify(&mut response, version);
    response
}

fn unsatisfiable(request: &Request, report: &TransferReport, version: &Version) -> Response {
    let mut response = refuse(request.is_head(), report, StatusCode::RANGE_NOT_SATISFIABLE);
    set(&mut response, CONTENT_RANGE, &format!("bytes */{}", version.length));
    response
}

fn identify(response: &mut Response, version: &Version) {
    set(response, ACCEPT_RANGES, "bytes");
    set(response, ETAG, &version.etag);
    set(response, LAST_MODIFIED, &httpdate::fmt_http_date(version.modified));
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn status_of(error: &io::Error) -> StatusCode {
    match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
        io::ErrorKind::PermissionDenied | io::ErrorKind::IsADirectory => StatusCode::FORBIDDEN,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Percent-decoding (RFC 3986 section 2.1); none when an escape is broken, hides a NUL, or the result is no UTF-8.
fn decode(path: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' { hex(bytes.next()?)? << 4 | hex(bytes.next()?)? } else { byte });
    }
    String::from_utf8(decoded).ok().filter(|path| !path.contains('\0'))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn media_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("css") => "text/css",
        Some("gz") => "application/gzip",
        Some("html" | "htm") => "text/html",
        Some("js") => "text/javascript",
        Some("json") => "application/json",
        Some("sh") => "text/x-sh",
        Some("txt" | "log" | "md5" | "sha256" | "bmap") => "text/plain",
        Some("xz") => "application/x-xz",
        Some("yaml" | "yml") => "application/yaml",
        Some("zst") => "application/zstd",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once_and_broken_ones_refused() {
        let cases = [
            ("/a%20b", Some("/a b")),
            ("/%2e%2E/x", Some("/../x")),
            ("/%252e", Some("/%2e")),
            ("/%C3%BC", Some("/ü")),
            ("/%ff", None),
            ("/%", None),
            ("/%4", None),
            ("/%zz", None),
            ("/a%00", None),
        ];
        for (path, decoded) in cases {
            assert_eq!(decode(path).as_deref(), decoded, "{path}");
        }
    }
}
