//! A driver tree for one lease of a lab: its clients come through a router, its hooks through a socket of their own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flasher_core::CancellationToken;
use flasher_core::tree::DriverTree;
use tokio::io::DuplexStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::direct::DirectClient;
use crate::listen::{Listener, PendingConnection};
use crate::metrics::CountedSession;
use crate::proto::{DriverInstanceReport, ExporterStatus};
use crate::python::PythonExporter;
use crate::records::Records;
use crate::serve::{Access, Exporter};
use crate::session::Session;
use crate::uploads::Uploads;

/// How long what connections still do may take once they are cut.
const GOODBYE: Duration = Duration::from_secs(2);

/// Hears once for each time that a client ends its session.
pub type SessionEnds = UnboundedReceiver<()>;

/// A driver tree and the clients of one lease.
#[derive(Debug)]
pub struct LeasedExporter {
    exporter: Arc<Exporter>,
    session: Arc<Session>,
    /// Ends the connections of clients; a new one for the next client of the lease.
    tunnels: Mutex<CancellationToken>,
    /// Ends everything, also what hooks do.
    over: CancellationToken,
    /// Counts the lease, once it has begun and until it is over.
    counted: Mutex<Option<CountedSession>>,
}

impl LeasedExporter {
    /// An exporter of this tree, which no client reaches yet, and what hears of the end of its session. Status: available.
    pub fn new(
        tree: DriverTree,
        python: Option<Arc<PythonExporter>>,
        access: Access,
        records: Records,
    ) -> (Arc<Self>, SessionEnds) {
        let (end, ends) = unbounded_channel();
        let session = Session::new(tree, python, records.clone(), access.fetch.clone(), Some(end));
        session.gate.set(ExporterStatus::Available, "");
        let exporter = Exporter::of(Arc::clone(&session), access, records);
        let over = CancellationToken::new();
        let tunnels = Mutex::new(over.child_token());
        let counted = Mutex::default();
        (Arc::new(Self { exporter, session, tunnels, over, counted }), ends)
    }

    /// Removes the files that clients of an exporter sent which was killed.
    pub async fn sweep() {
        crate::uploads::sweep(Uploads::default()).await;
    }

    /// The lease has begun: it counts as a session.
    pub fn begin(&self) {
        let session = self.session.shared.metrics.session();
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    }

    /// The nodes, as clients and the controller see them.
    pub fn reports(&self) -> Vec<DriverInstanceReport> {
        self.session.nodes.reports.clone()
    }

    /// Serves a client whose bytes come through `stream`; `peer` is what messages call it.
    pub fn connect(&self, stream: DuplexStream, peer: String) {
        let cut = self.tunnels().clone();
        self.exporter.welcome(PendingConnection::tunnel(stream, peer), cut);
    }

    /// Serves every process that may use this socket, until the end of the lease.
    pub fn serve_hooks(&self, socket: Listener) {
        let (stop, cut) = (self.over.clone(), self.over.clone());
        tokio::spawn(Arc::clone(&self.exporter).accept(socket, stop, cut));
    }

    /// Ends the connections of all clients; the next ones may come.
    pub fn cut_tunnels(&self) {
        std::mem::replace(&mut *self.tunnels(), self.over.child_token()).cancel();
    }

    /// What clients see as the status from now on.
    pub fn set_status(&self, status: ExporterStatus, message: &str) {
        self.session.gate.set(status, message);
    }

    /// Waits until a client has asked for the status; once it has, it goes on asking.
    pub async fn until_asked(&self) {
        self.session.gate.until_read().await;
    }

    /// Waits until a client has read the status of now.
    pub async fn until_read(&self) {
        self.session.gate.until_read_now().await;
    }

    /// Shows clients a line that a hook printed: one before the lease, or after it.
    pub fn hook_line(&self, is_before: bool, line: String) {
        self.session.shared.log.hook(is_before, line);
    }

    /// Adds to what clients are to read first.
    pub fn add_to_motd(&self, text: String) {
        self.session.add_to_motd(text);
    }

    /// The tree of the lease, for this process itself: see [`Exporter::direct`].
    pub fn direct(&self, peer: &str, is_local: bool) -> DirectClient {
        DirectClient::new(Arc::clone(&self.session), peer, is_local)
    }

    /// Whether a job runs, which outlives its client.
    pub fn is_busy(&self) -> bool {
        self.session.shared.jobs.is_busy()
    }

    /// Waits until no job runs.
    pub async fn idle(&self) {
        self.session.shared.jobs.idle().await;
    }

    /// Ends all connections, stops what runs in good order, closes every driver and removes what clients made.
    pub async fn close(&self) {
        self.over.cancel();
        if tokio::time::timeout(GOODBYE, self.exporter.empty()).await.is_err() {
            tracing::warn!("a connection did not end within {} s", GOODBYE.as_secs());
        }
        self.session.close().await;
        drop(self.counted.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn tunnels(&self) -> MutexGuard<'_, CancellationToken> {
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
