//! The engine: accepts connections, serves them, and stops in an orderly way.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flasher_core::{CancellationToken, TransferLog};
use hyper::Version;
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use server_kit::{RunningServer, Service, canonical};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use warp::Filter;

use crate::clients::{Clients, TableEntry, WatchedStream};
use crate::error::Error;
use crate::reply::{Connection, Request};
use crate::sendfile::{SendfileSocket, Spans};
use crate::site::Site;
use crate::upload;

/// How long a connection may take over a request's header, and be idle between requests.
const HEADER_WAIT: Duration = Duration::from_secs(15);
/// What `stop` gives transfers under way.
const GRACE: Duration = Duration::from_secs(2);
/// How long a client may leave what it was sent unacknowledged. Long: a board that flushes a slow card does not read meanwhile.
const VANISHED: Duration = Duration::from_secs(300);

/// A running HTTP server. Dropping it stops it at once; [`Server::stop`] does so in an orderly way.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stopping: CancellationToken,
    stopped: CancellationToken,
    accepting: JoinSet<()>,
}

impl Server {
    /// Binds `address` (port 0 takes any free port) and serves `site`. Transfers are reported to `log`.
    ///
    /// # Errors
    /// When the address cannot be bound, or the site's root is no folder that can be read.
    pub async fn bind(address: SocketAddr, site: Site, log: TransferLog) -> Result<Self, Error> {
        prepare(&site).await?;
        let (listener, address) = listen(address).await?;
        let (stopping, stopped) = (CancellationToken::new(), CancellationToken::new());
        let clients = Clients::default();
        let state = ServerState { site, log, clients, stopping: stopping.clone(), stopped: stopped.clone() };
        let mut accepting = JoinSet::new();
        accepting.spawn(state.accept_all(listener));
        Ok(Self { address, stopping, stopped, accepting })
    }

    /// The bound address; its host is the wildcard when that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Frees the port, gives transfers under way 2 seconds to end, then cuts them.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        while self.accepting.join_next().await.is_some() {}
    }
}

impl RunningServer for Server {
    fn address(&self) -> SocketAddr {
        self.address()
    }

    async fn stop(self) {
        self.stop().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.cancel();
        self.stopping.cancel();
        self.accepting.detach_all();
    }
}

/// The root must be there.
async fn prepare(site: &Site) -> Result<(), Error> {
    let root = site.root();
    drop(tokio::fs::read_dir(root).await.map_err(|error| server_kit::Error::root(root, error))?);
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |error| server_kit::Error::bind(Service::Http, address, error);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

#[derive(Clone)]
struct ServerState {
    site: Site,
    log: TransferLog,
    clients: Clients,
    stopping: CancellationToken,
    stopped: CancellationToken,
}

impl ServerState {
    async fn accept_all(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        while let Some((stream, peer)) = self.accept(&listener).await {
            while connections.try_join_next().is_some() {}
            let cut = self.stopped.child_token();
            let Some(guest) = self.clients.enter(peer.ip(), cut.clone()) else { continue };
            let shared = self.clone();
            connections.spawn(async move {
                if asks(&stream, &cut).await
                    && let Some(_place) = guest.place().await
                {
                    shared.serve(stream, peer, guest, cut).await;
                }
            });
        }
        drop(listener);
        let finish = async { while connections.join_next().await.is_some() {} };
        tokio::select! {
            () = finish => {}
            () = tokio::time::sleep(GRACE) => {}
            () = self.stopped.cancelled() => {}
        }
        self.stopped.cancel();
        connections.shutdown().await;
    }

    /// The next connection; none when the server stops.
    async fn accept(&self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
        let next = async {
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => break (stream, canonical(peer)),
                    Err(error) => rest(&error).await,
                }
            }
        };
        tokio::select! {
            () = self.stopping.cancelled() => None,
            accepted = next => Some(accepted),
        }
    }

    async fn serve(&self, stream: TcpStream, peer: SocketAddr, guest: TableEntry, cut: CancellationToken) {
        watch_for_silence(&stream);
        // A connection that could not be reset might make a broken body look whole, so it is not served.
        let Ok(socket) = SockRef::from(&stream).try_clone() else { return };
        let spans = Spans::default();
        let connection = Connection {
            peer,
            site: self.site.clone(),
            log: self.log.clone(),
            activity: Arc::clone(&guest.activity),
            cut: cut.clone(),
            stopped: self.stopped.clone(),
            spans: spans.clone(),
        };
        self.converse(SendfileSocket::new(stream, spans), connection, &guest, &cut).await;
        if cut.is_cancelled() {
            // Where the end of the body is the end of the connection (HTTP/1.0), only a reset tells a client that it
            // has not got everything. Not refused for a TCP socket.
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
    }

    async fn converse(
        &self,
        stream: SendfileSocket,
        connection: Connection,
        guest: &TableEntry,
        cut: &CancellationToken,
    ) {
        let activity = &guest.activity;
        let service = TowerToHyperService::new(warp::service(route(Arc::new(connection))));
        let service = HostCheck(service);
        let stream = WatchedStream::new(stream, Arc::clone(activity));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADER_WAIT).half_close(false);
        let mut running = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
        // The report of a transfer says how its connection ended; between transfers the end does not matter.
        tokio::select! {
            _ = &mut running => return,
            () = cut.cancelled() => return,
            () = activity.too_slow() => return cut.cancel(),
            () = self.stopping.cancelled() => running.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = running => {}
            () = cut.cancelled() => {}
        }
    }
}

fn route(
    connection: Arc<Connection>,
) -> impl Filter<Extract = (warp::reply::Response,), Error = warp::Rejection> + Clone {
    let request = warp::method().and(warp::path::full()).and(warp::header::headers_cloned());
    let request = request.and(warp::ext::optional()).and(warp::body::stream());
    request.then(move |method, path: warp::path::FullPath, headers, host: Option<WrongHostCount>, body| {
        let connection = Arc::clone(&connection);
        let (path, body) = (path.as_str().to_owned(), upload::incoming(body));
        let request = Request { method, path, headers };
        async move {
            match host {
                Some(WrongHostCount) => connection.without_host(&request),
                None => connection.answer(request, body).await,
            }
        }
    })
}

/// The mark of a request that names no host, or several: it is answered with 400 (RFC 9112 section 3.2).
#[derive(Clone, Copy, Debug)]
struct WrongHostCount;

/// Looks at what the routes do not see.
struct HostCheck<S>(S);

impl<S> hyper::service::Service<hyper::Request<Incoming>> for HostCheck<S>
where
    S: hyper::service::Service<hyper::Request<Incoming>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        if lacks_host(&request) {
            request.extensions_mut().insert(WrongHostCount);
        }
        self.0.call(request)
    }
}

/// HTTP/1.0 knows no `Host`, and boot loaders and small wgets speak it.
fn lacks_host<B>(request: &hyper::Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let is_one = hosts.next().is_some_and(is_host) && hosts.next().is_none();
    request.version() > Version::HTTP_10 && !is_one
}

/// A host and perhaps a port; it may be empty (RFC 9110 section 7.2).
fn is_host(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|host| !host.contains([' ', '\t', '/', '@', ',', '?', '#']))
}

/// Waits for the first bytes of a request: a connection without them needs no place.
async fn asks(stream: &TcpStream, cut: &CancellationToken) -> bool {
    let mut first = [0];
    tokio::select! {
        peeked = tokio::time::timeout(HEADER_WAIT, stream.peek(&mut first)) => matches!(peeked, Ok(Ok(1..))),
        () = cut.cancelled() => false,
    }
}

/// A connection that was gone before it was accepted is no reason to wait; a lack of file descriptors is.
async fn rest(error: &io::Error) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Without these options a board that lost power would hold its connection for a quarter of an hour. A kernel that
/// refuses one still serves.
fn watch_for_silence(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_user_timeout(Some(VANISHED));
    let _ = socket.set_tcp_nodelay(true);
}
