//! The exporter at work: clients come and go, a reload waits for the last one, an end waits for all of them.

use std::convert::Infallible;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use flasher_core::CancellationToken;
use flasher_core::config::Findings;
use flasher_core::journal::Journal;
use flasher_core::tree::DeviceTree;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::{Mutex, Semaphore};
use tokio_util::task::TaskTracker;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};

use crate::connection::Connection;
use crate::listen::{Arrival, Listener, Wire};
use crate::passphrase::{HEADER, Passphrase};
use crate::proto::ExporterStatus;
use crate::proto::exporter_service_server::ExporterServiceServer;
use crate::proto::router_service_server::RouterServiceServer;
use crate::service::Service;
use crate::session::Session;
use crate::uploads::Uploads;

/// Connections at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 256;
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
/// A client that has connected says something within this time.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// Pause after a failed accept: the reason is usually a bound of the system.
const PAUSE: Duration = Duration::from_millis(100);

/// Reads the exporter YAML anew.
pub type Load = Arc<dyn Fn() -> Result<DeviceTree, Findings> + Send + Sync>;

/// A device tree and its clients.
#[derive(Debug)]
pub struct Exporter {
    state: Mutex<State>,
    passphrase: Option<Passphrase>,
    journal: Option<Journal>,
    clients: TaskTracker,
    slots: Arc<Semaphore>,
}

#[derive(Debug)]
struct State {
    session: Arc<Session>,
    clients: usize,
}

impl Exporter {
    /// An exporter of this tree, not reachable yet. With a passphrase, clients must know it. With a journal, it keeps the receipt of
    /// every flash there.
    pub fn new(tree: DeviceTree, passphrase: Option<Passphrase>, journal: Option<Journal>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State { session: Session::new(tree, journal.clone()), clients: 0 }),
            journal,
            passphrase,
            clients: TaskTracker::new(),
            slots: Arc::new(Semaphore::new(CONNECTIONS)),
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
        session.log.system("shutting down".to_owned());
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
    pub async fn reload(&self, tree: DeviceTree) {
        let fresh = Session::new(tree, self.journal.clone());
        loop {
            let mut state = self.state.lock().await;
            if state.clients == 0 && !state.session.jobs.is_busy() {
                // Clients that come meanwhile wait for the lock.
                state.session.close().await;
                state.session = fresh;
                return;
            }
            drop(state);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn drained(&self, session: &Session) {
        self.clients.wait().await;
        session.jobs.idle().await;
    }

    async fn accept(self: Arc<Self>, listener: Listener, stop: CancellationToken, cut: CancellationToken) {
        loop {
            let next = async {
                // The slot is kept by the client's task.
                let slot = Arc::clone(&self.slots).acquire_owned().await;
                (listener.accept().await, slot)
            };
            let (arrival, slot) = tokio::select! {
                () = stop.cancelled() => return,
                next = next => next,
            };
            match arrival {
                Ok(arrival) => {
                    let talk = Arc::clone(&self).talk(arrival, cut.clone());
                    self.clients.spawn(async move {
                        talk.await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a client could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn talk(self: Arc<Self>, arrival: Arrival, cut: CancellationToken) {
        let peer = arrival.peer.clone();
        let wire = match arrival.greet().await {
            Ok(wire) => wire,
            Err(error) => {
                tracing::info!(%peer, %error, "a client did not get through the handshake");
                return;
            }
        };
        let connection = Connection::new(peer);
        let session = self.arrive().await;
        let service = Service { session: Arc::clone(&session), connection: Arc::clone(&connection) };
        let dispatch = Dispatch::new(service, self.passphrase.clone());
        tokio::select! {
            () = converse(wire, dispatch, &connection) => {}
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

/// Speaks HTTP/2 with one client until it has enough or is gone.
async fn converse(wire: Box<dyn Wire>, dispatch: Dispatch, connection: &Connection) {
    let spoken = Arc::clone(&dispatch.spoken);
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
    let first_word = async {
        tokio::time::sleep(FIRST_WORD).await;
        if spoken.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        end = talk.as_mut() => if let Err(error) = end {
            tracing::debug!(peer = connection.peer, %error, "a connection broke");
        },
        () = first_word => {}
    }
}

/// Hands requests to the two services.
#[derive(Clone)]
struct Dispatch {
    exporter: ExporterServiceServer<Service>,
    router: RouterServiceServer<Service>,
    passphrase: Option<Passphrase>,
    spoken: Arc<AtomicBool>,
}

impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch").field("passphrase", &self.passphrase).finish_non_exhaustive()
    }
}

impl Dispatch {
    fn new(service: Service, passphrase: Option<Passphrase>) -> Self {
        Self {
            exporter: ExporterServiceServer::new(service.clone()).max_decoding_message_size(MESSAGE),
            router: RouterServiceServer::new(service).max_decoding_message_size(MESSAGE),
            passphrase,
            spoken: Arc::default(),
        }
    }

    fn may_pass(&self, request: &Request<Incoming>) -> bool {
        let Some(passphrase) = &self.passphrase else { return true };
        request.headers().get(HEADER).is_some_and(|given| passphrase.is(given.as_bytes()))
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl hyper::service::Service<Request<Incoming>> for Dispatch {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        self.spoken.store(true, Ordering::Relaxed);
        if !self.may_pass(&request) {
            return refuse(Status::unauthenticated("invalid or missing passphrase"));
        }
        match request.uri().path().split('/').nth(1) {
            Some("jumpstarter.v1.ExporterService") => call(self.exporter.clone(), request),
            Some("jumpstarter.v1.RouterService") => call(self.router.clone(), request),
            _ => refuse(Status::unimplemented("no such service")),
        }
    }
}

fn call<S>(mut service: S, request: Request<Incoming>) -> Answer
where
    S: tower_service::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    // Generated services are always ready.
    let ready = service.poll_ready(&mut Context::from_waker(std::task::Waker::noop()));
    debug_assert!(matches!(ready, Poll::Ready(Ok(()))));
    Box::pin(service.call(request))
}

fn refuse(status: Status) -> Answer {
    Box::pin(async move { Ok(status.into_http()) })
}
