//! The address of the page: browsers are let in, bounded in number, over TLS where there is a certificate, and let go at the end.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Buf;
use exporter_grpc::bind_tcp;
use flasher_core::{CancellationToken, Result};
use futures_util::{Stream, StreamExt as _};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use warp::Filter as _;
use warp::path::FullPath;

use crate::hub::Hub;
use crate::patience::PatientStream;
use crate::settings::WebSettings;
use crate::state::{RequestBody, WebRequest, WebState, parts};
use crate::trees::TreeSource;
use crate::visitor::CookieRules;

/// Connections at most, of one address and of all. A further one is closed at once.
const CONNECTIONS: [usize; 2] = [192, 256];
/// How long a handshake, or the head of a request, may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
const HEAD: Duration = Duration::from_secs(20);
/// A silent HTTP/2 connection is asked for a sign of life after this, and is gone without one after as much again.
const SILENCE: Duration = Duration::from_secs(20);
/// Streams at a time on one HTTP/2 connection.
const STREAMS: u32 = 128;
/// Largest head of a request, bytes.
const LONGEST_HEAD: usize = 32 * 1024;
/// Pause after a failed accept: the reason is usually a bound of the system.
const PAUSE: Duration = Duration::from_millis(100);
/// How long answers may take to end once the page stops.
const GRACE: Duration = Duration::from_secs(2);

/// A bound address for the page.
#[derive(Debug)]
pub struct WebPage {
    listener: TcpListener,
    address: SocketAddr,
}

impl WebPage {
    /// Binds it; port 0 takes any free one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> Result<Self> {
        let (listener, address) = bind_tcp("the web page", address).await?;
        Ok(Self { listener, address })
    }

    /// Where it is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves the boards of `source` until `stop`.
    pub async fn serve(self, source: Arc<dyn TreeSource>, settings: WebSettings, stop: CancellationToken) {
        let hub = Arc::new(Hub::new(source, settings.ledger.clone()));
        tokio::spawn(Arc::clone(&hub).keep_up(stop.clone()));
        let acceptor = settings.certificate.as_ref().map(|certificate| certificate.http_acceptor());
        let cookies = CookieRules { port: self.address.port(), is_tls: acceptor.is_some() };
        let state = Arc::new(WebState::new(hub, settings, cookies, stop.clone()));
        let open = OpenConnections::default();
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => {
                    let Some(place) = open.enter(peer.ip()) else { continue };
                    let (state, acceptor, stop) = (Arc::clone(&state), acceptor.clone(), stop.clone());
                    tokio::spawn(async move {
                        talk(stream, peer, acceptor, state, stop).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a browser could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Talks to a browser until it goes, or a while after `stop`.
async fn talk(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    state: Arc<WebState>,
    stop: CancellationToken,
) {
    prepare(&stream);
    let talking = async {
        match acceptor {
            None => speak(PatientStream::new(stream), false, peer, state).await,
            Some(acceptor) => {
                let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                speak(PatientStream::new(stream), is_http2, peer, state).await;
            }
        }
    };
    let over = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = talking => {}
        () = over => {}
    }
}

/// A connection whose other end is gone without a word does not stay for long. A kernel that refuses an option still serves.
fn prepare(stream: &TcpStream) {
    let alive = TcpKeepalive::new().with_time(Duration::from_secs(20)).with_interval(Duration::from_secs(10));
    let _ = SockRef::from(stream).set_tcp_keepalive(&alive);
    let _ = stream.set_nodelay(true);
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    is_http2: bool,
    peer: SocketAddr,
    state: Arc<WebState>,
) {
    let service = TowerToHyperService::new(warp::service(route(state, peer)));
    let stream = TokioIo::new(stream);
    let ended = if is_http2 {
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(LONGEST_HEAD as u32)
            .keep_alive_interval(SILENCE)
            .keep_alive_timeout(SILENCE);
        http.serve_connection(stream, service).await
    } else {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(LONGEST_HEAD);
        http.serve_connection(stream, service).await
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection of a browser broke");
    }
}

fn route(
    state: Arc<WebState>,
    peer: SocketAddr,
) -> impl warp::Filter<Extract = (warp::reply::Response,), Error = warp::Rejection> + Clone {
    let head = warp::method().and(warp::path::full()).and(warp::host::optional());
    let head = head.and(warp::header::headers_cloned());
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let whole = head.and(query).and(warp::body::stream());
    whole.then(move |method, path: FullPath, host: Option<warp::host::Authority>, headers, query, body| {
        let body = incoming(body);
        let host = host.map(|host| host.as_str().to_owned());
        let path = parts(path.as_str());
        let request = WebRequest { method, path, query, host, headers, peer };
        Arc::clone(&state).answer(request, body)
    })
}

/// Boxes warp's body.
fn incoming(
    body: impl Stream<Item = std::result::Result<impl Buf, warp::Error>> + Send + 'static,
) -> RequestBody {
    Box::pin(body.map(|piece| {
        piece.map(|mut piece| {
            let length = piece.remaining();
            piece.copy_to_bytes(length)
        })
    }))
}

/// Connections that are open, by address.
#[derive(Clone, Debug, Default)]
struct OpenConnections(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// The place of a connection; free again when it is dropped.
#[derive(Debug)]
struct OpenPlace(OpenConnections, IpAddr);

impl OpenConnections {
    /// A place for a connection; none when there are too many.
    fn enter(&self, address: IpAddr) -> Option<OpenPlace> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get(&address).copied().unwrap_or(0);
        let all: usize = open.values().sum();
        if own >= CONNECTIONS[0] || all >= CONNECTIONS[1] {
            tracing::info!(%address, "a browser was not let in: too many connections are open");
            return None;
        }
        *open.entry(address).or_default() += 1;
        Some(OpenPlace(self.clone(), address))
    }
}

impl Drop for OpenPlace {
    fn drop(&mut self) {
        let mut open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = open.get(&self.1).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            open.remove(&self.1);
        } else {
            open.insert(self.1, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_bounded_for_each_address_and_in_all() {
        let open = OpenConnections::default();
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|it| it.parse().unwrap());
        let mut places: Vec<_> = (0..CONNECTIONS[0]).map(|_| open.enter(one).unwrap()).collect();
        assert!(open.enter(one).is_none());
        places.extend((CONNECTIONS[0]..CONNECTIONS[1]).map(|_| open.enter(other).unwrap()));
        assert!(open.enter(other).is_none());
        drop(places);
        assert!(open.enter(one).is_some() && open.0.lock().unwrap().is_empty());
    }
}
