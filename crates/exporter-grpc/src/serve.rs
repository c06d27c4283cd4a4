//! The exporter at work: clients come and go, a reload waits for the last one, an end waits for all of them.

use std::convert::Infallible;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use flasher_core::CancellationToken;
use flasher_core::fetch::FetchRules;
use flasher_core::tree::DriverTree;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};

use crate::admission::{Admission, ConnectionSlot, GUESSES, Origin};
use crate::connection::Connection;
use crate::direct::DirectClient;
use crate::failure::{CallFailure, CallResult};
use crate::hosts::Hosts;
use crate::listen::{ClientStream, Listener, PendingConnection};
use crate::passphrase::{HEADER, Passphrase};
use crate::proto::ExporterStatus;
use crate::proto::exporter_service_server::ExporterServiceServer;
use crate::proto::router_service_server::RouterServiceServer;
use crate::python::PythonExporter;
use crate::records::Records;
use crate::service::Service;
use crate::session::Session;
use crate::tls::Certificate;
use crate::uploads::Uploads;

/// Calls and streams at a time on one connection; further ones wait at the client, or are refused (RFC 9113 section 5.1.2).
const STREAMS: u32 = 256;
/// Bytes on their way in, per stream and per connection.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Largest message taken, gRPC's own default, bytes.
const MESSAGE: usize = 4 * 1024 * 1024;
/// Largest list of headers taken, bytes.
const HEADERS: u32 = 32 * 1024;
/// A silent client is asked for a sign of life after this, and is gone without one after as much again.
const SILENCE: Duration = Duration::from_secs(20);
/// A client that has connected says something, and knows the passphrase, within this time.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// How long what a client was refused with may take to reach it.
const FAREWELL: Duration = Duration::from_secs(1);
/// Pause after a failed accept: the reason is usually a bound of the system.
const PAUSE: Duration = Duration::from_millis(100);

/// What clients have to bring, and what they may have.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// What they must know.
    pub passphrase: Option<Passphrase>,
    /// Names of this machine besides those it knows by itself: requests for another machine are refused.
    pub hosts: Vec<String>,
    /// What they may have fetched.
    pub fetch: FetchRules,
}

/// A driver tree and its clients.
#[derive(Debug)]
pub struct Exporter {
    state: Mutex<SessionState>,
    access: Access,
    hosts: Arc<Hosts>,
    records: Records,
    clients: TaskTracker,
    admission: Arc<Admission>,
}

#[derive(Debug)]
struct SessionState {
    session: Arc<Session>,
    clients: usize,
}

impl Exporter {
    /// An exporter of this tree, not reachable yet. `python` runs the nodes whose drivers only Python has. `records` is where it keeps what it did.
    pub fn new(
        tree: DriverTree,
        python: Option<Arc<PythonExporter>>,
        access: Access,
        records: Records,
    ) -> Arc<Self> {
        Self::of(Session::new(tree, python, records.clone(), access.fetch.clone(), None), access, records)
    }

    /// An exporter of this session.
    pub(crate) fn of(session: Arc<Session>, access: Access, records: Records) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(SessionState { session, clients: 0 }),
            records,
            hosts: Arc::new(Hosts::of_this_machine(&access.hosts)),
            access,
            clients: TaskTracker::new(),
            admission: Arc::default(),
        })
    }

    /// Serves clients until `stop`; then those who are connected may end what they do within `grace`.
    pub async fn serve(self: &Arc<Self>, listeners: Vec<Listener>, stop: CancellationToken, grace: Duration) {
        crate::uploads::sweep(Uploads::default()).await;
        let cut = CancellationToken::new();
        let accepting: Vec<_> = listeners
            .into_iter()
            .map(|listener| tokio::spawn(Arc::clone(self).accept(listener, stop.clone(), cut.clone())))
            .collect();
        stop.cancelled().await;
        let session = Arc::clone(&self.state.lock().await.session);
        // Still ready for those who are here: what they do is usually more than one call.
        session.gate.set(ExporterStatus::LeaseReady, "shutting down");
        session.shared.log.system("shutting down".to_owned());
        for task in accepting {
            task.await.ok(); // it ends by itself, and has nothing to say
        }
        self.clients.close();
        if tokio::time::timeout(grace, self.drained(&session)).await.is_err() {
            cut.cancel();
            self.clients.wait().await;
        }
        session.close().await;
    }

    /// Takes another tree once no client is connected and no job runs.
    pub async fn reload(&self, tree: DriverTree, python: Option<Arc<PythonExporter>>) {
        let fresh = Session::new(tree, python, self.records.clone(), self.access.fetch.clone(), None);
        loop {
            let mut state = self.state.lock().await;
            // What this process itself uses has claims, and no client.
            let shared = &state.session.shared;
            let is_used = state.clients > 0 || shared.jobs.is_busy() || shared.claims.are_held();
            if !is_used {
                // Clients that come meanwhile wait for the lock.
                state.session.close().await;
                state.session = fresh;
                return;
            }
            drop(state);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The tree that is served now, for this process itself; `peer` is what messages call who uses it, and `is_local` whether that is
    /// on this machine.
    pub async fn direct(&self, peer: &str, is_local: bool) -> DirectClient {
        DirectClient::new(Arc::clone(&self.state.lock().await.session), peer, is_local)
    }

    async fn drained(&self, session: &Session) {
        self.clients.wait().await;
        session.shared.jobs.idle().await;
    }

    /// Lets clients in until `stop`; their connections end at `cut`.
    pub(crate) async fn accept(
        self: Arc<Self>,
        listener: Listener,
        stop: CancellationToken,
        cut: CancellationToken,
    ) {
        loop {
            let arrival = tokio::select! {
                () = stop.cancelled() => return,
                arrival = listener.accept() => arrival,
            };
            match arrival {
                Ok(arrival) => self.welcome(arrival, cut.clone()),
                Err(error) => {
                    tracing::warn!(%error, "a client could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Talks to a client until it goes, or until `cut`.
    pub(crate) fn welcome(self: &Arc<Self>, arrival: PendingConnection, cut: CancellationToken) {
        let visitor = Arc::new(self.admission.arrive(arrival.origin));
        self.clients.spawn(Arc::clone(self).talk(arrival, visitor, cut));
    }

    /// Waits until no client is connected any more; none is let in from now on.
    pub(crate) async fn empty(&self) {
        self.clients.close();
        self.clients.wait().await;
    }

    async fn talk(
        self: Arc<Self>,
        arrival: PendingConnection,
        visitor: Arc<ConnectionSlot>,
        cut: CancellationToken,
    ) {
        let peer = arrival.peer.clone();
        let has_name = matches!(arrival.origin, Origin::Address(_));
        let certificate = arrival.certificate.clone();
        let greeted = tokio::select! {
            greeted = arrival.greet() => greeted,
            () = visitor.evicted.cancelled() => return,
        };
        let wire = match greeted {
            Ok(wire) => wire,
            Err(error) => {
                tracing::info!(%peer, %error, "a client did not get through the handshake");
                return;
            }
        };
        let connection = Connection::new(peer, visitor.is_local(), Arc::clone(&visitor.workers));
        let session = self.arrive().await;
        // Under a controller the lease is the session.
        let _counted = session.end.is_none().then(|| self.records.metrics.session());
        let service = Service { session: Arc::clone(&session), connection: Arc::clone(&connection) };
        let client_access = ClientAccess {
            peer: connection.peer.clone(),
            passphrase: self.access.passphrase.clone(),
            hosts: has_name.then(|| Arc::clone(&self.hosts)),
            certificate,
            visitor,
        };
        tokio::select! {
            () = converse(wire, ServiceRouter::new(service, client_access), &connection) => {}
            () = cut.cancelled() => {}
        }
        connection.closed.cancel();
        session.release(connection.id).await;
        self.state.lock().await.clients -= 1;
    }

    async fn arrive(&self) -> Arc<Session> {
        let mut state = self.state.lock().await;
        state.clients += 1;
        Arc::clone(&state.session)
    }
}

/// Speaks HTTP/2 with one client until it has enough, is gone, or has to go.
async fn converse(wire: Box<dyn ClientStream>, dispatch: ServiceRouter, connection: &Connection) {
    let visitor = Arc::clone(&dispatch.client_access.visitor);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS)
        .max_frame_size(256 * 1024)
        .keep_alive_interval(SILENCE)
        .keep_alive_timeout(SILENCE);
    let mut talk = pin!(builder.serve_connection(TokioIo::new(wire), dispatch));
    tokio::select! {
        end = talk.as_mut() => {
            if let Err(error) = end {
                tracing::debug!(peer = connection.peer, %error, "a connection broke");
            }
            return;
        }
        () = stays_a_stranger(&visitor) => {
            tracing::info!(peer = connection.peer, "a connection was dropped: it did not say who it is, or made room for others");
            return;
        }
        () = visitor.refused.cancelled() => {}
    }
    talk.as_mut().graceful_shutdown();
    tokio::select! {
        // A client that does not take its answer in time goes without it.
        _ = tokio::time::timeout(FAREWELL, talk) => {}
        () = visitor.evicted.cancelled() => {}
    }
}

/// Waits until a connection has to go that was never let in.
async fn stays_a_stranger(visitor: &ConnectionSlot) {
    if tokio::time::timeout(FIRST_WORD, visitor.evicted.cancelled()).await.is_err() && visitor.is_client() {
        std::future::pending().await
    }
}

/// Who is let in.
#[derive(Clone, Debug)]
struct ClientAccess {
    /// Who is at the other end, for messages.
    peer: String,
    passphrase: Option<Passphrase>,
    /// Names that requests may be for; any will do on a unix socket, which has none.
    hosts: Option<Arc<Hosts>>,
    certificate: Option<Certificate>,
    visitor: Arc<ConnectionSlot>,
}

impl ClientAccess {
    /// Lets a request in, and the connection with its first one.
    ///
    /// # Errors
    /// The connection is over then, once the answer has been sent.
    fn pass<B>(&self, request: &Request<B>) -> CallResult<()> {
        let passed = self.look_at(request);
        if let Err(failure) = &passed {
            tracing::info!(peer = self.peer, reason = failure.text, "a client was refused");
            self.visitor.refused.cancel();
        }
        passed
    }

    fn look_at<B>(&self, request: &Request<B>) -> CallResult<()> {
        if let Some(hosts) = &self.hosts {
            hosts.check(request, self.certificate.as_ref())?;
        }
        let Some(passphrase) = &self.passphrase else { return self.visitor.admit() };
        let refused = || CallFailure::new(tonic::Code::Unauthenticated, "invalid or missing passphrase");
        let given = request.headers().get(HEADER).ok_or_else(refused)?;
        if !self.visitor.is_client() {
            self.visitor.may_guess()?;
        }
        if passphrase.is(given.as_bytes()) {
            return self.visitor.admit();
        }
        let of_late = self.visitor.guessed_wrong();
        tracing::warn!(peer = self.peer, of_late, most = GUESSES, "a client sent a wrong passphrase");
        Err(refused())
    }
}

/// Hands requests to the two services.
#[derive(Clone)]
struct ServiceRouter {
    exporter: ExporterServiceServer<Service>,
    router: RouterServiceServer<Service>,
    client_access: ClientAccess,
}

impl fmt::Debug for ServiceRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceRouter").field("door", &self.client_access).finish_non_exhaustive()
    }
}

impl ServiceRouter {
    fn new(service: Service, client_access: ClientAccess) -> Self {
        Self {
            exporter: ExporterServiceServer::new(service.clone()).max_decoding_message_size(MESSAGE),
            router: RouterServiceServer::new(service).max_decoding_message_size(MESSAGE),
            client_access,
        }
    }
}

type HttpFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl hyper::service::Service<Request<Incoming>> for ServiceRouter {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = HttpFuture;

    fn call(&self, request: Request<Incoming>) -> HttpFuture {
        if let Err(failure) = self.client_access.pass(&request) {
            return refuse(failure.into());
        }
        match request.uri().path().split('/').nth(1) {
            Some("jumpstarter.v1.ExporterService") => call(self.exporter.clone(), request),
            Some("jumpstarter.v1.RouterService") => call(self.router.clone(), request),
            _ => refuse(Status::unimplemented("no such service")),
        }
    }
}

fn call<S>(mut service: S, request: Request<Incoming>) -> HttpFuture
where
    S: tower_service::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    // Generated services are always ready.
    let ready = service.poll_ready(&mut Context::from_waker(std::task::Waker::noop()));
    debug_assert!(matches!(ready, Poll::Ready(Ok(()))));
    Box::pin(service.call(request))
}

fn refuse(status: Status) -> HttpFuture {
    Box::pin(async move { Ok(status.into_http()) })
}
