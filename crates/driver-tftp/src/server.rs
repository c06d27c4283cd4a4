//! The engine: takes requests, runs a transfer for each, and stops in an orderly way.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flasher_core::{CancellationToken, TransferLog};
use server_kit::{RunningServer, Service};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

use crate::address::{Arrival, RequestSocket};
use crate::burst::BurstMemory;
use crate::error::Error;
use crate::job::{Job, Shared, answer, refuse};
use crate::packet::{self, Code, FileRequest, Packet, Refusal};
use crate::receive;
use crate::report::TransferReport;
use crate::settings::Settings;

/// Transfers under way at a time.
const TRANSFERS: usize = 512;
/// Transfers under way at a time to one address. A further request takes the place of the oldest that was never answered.
const TRANSFERS_PER_PEER: usize = 256;
/// Longest request read, bytes. RFC 2347 allows 512; a longer one with a long path does no harm.
const REQUEST: usize = 2048;
/// What `stop` gives transfers to tell their clients.
const GRACE: Duration = Duration::from_secs(2);

/// A running TFTP server. Dropping it stops it too; [`Server::stop`] waits until it has.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stopping: CancellationToken,
    serving: JoinHandle<()>,
}

impl Server {
    /// Binds `address` (port 0 takes any free port) and serves the files below `root`. Transfers are reported to `log`.
    ///
    /// # Errors
    /// When the address cannot be bound, or `root` is no folder that can be read.
    pub async fn bind(
        address: SocketAddr,
        root: impl Into<PathBuf>,
        log: TransferLog,
    ) -> Result<Self, Error> {
        Self::bind_with(address, root, log, Settings::default()).await
    }

    /// [`Server::bind`] with other settings. Values out of range are taken as the nearest in range.
    ///
    /// # Errors
    /// Those of [`Server::bind`].
    pub async fn bind_with(
        address: SocketAddr,
        root: impl Into<PathBuf>,
        log: TransferLog,
        settings: Settings,
    ) -> Result<Self, Error> {
        let root = root.into();
        drop(tokio::fs::read_dir(&root).await.map_err(|error| server_kit::Error::root(&root, error))?);
        let listener = RequestSocket::bind(address)
            .await
            .map_err(|error| server_kit::Error::bind(Service::Tftp, address, error))?;
        let address = listener.address();
        let stopping = CancellationToken::new();
        let (bursts, stop) = (BurstMemory::default(), stopping.clone());
        let active = Arc::default();
        let shared = Arc::new(Shared { root, log, settings, bursts, active, stopping: stop });
        let dispatcher =
            RequestDispatcher { shared, active: HashMap::new(), tasks: JoinSet::new(), served: 0 };
        Ok(Self { address, stopping, serving: tokio::spawn(dispatcher.serve(listener)) })
    }

    /// The bound address; its host is the wildcard when that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Frees the port and ends transfers under way: their clients get an ERROR.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        // Fails only if the task panicked, and then there is nothing left to wait for.
        let _ = (&mut self.serving).await;
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
        self.stopping.cancel();
    }
}

/// Which way a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// To the client.
    Read,
    /// From the client.
    Write,
}

/// What a request was answered with, to tell a repeated request from a new one of the same port.
#[derive(Debug)]
struct Active {
    serial: u64,
    request: Vec<u8>,
    answered: Arc<AtomicBool>,
    repeated: Arc<Notify>,
    superseded: CancellationToken,
    replaced: CancellationToken,
}

/// Takes requests, and knows who is being served.
struct RequestDispatcher {
    shared: Arc<Shared>,
    active: HashMap<SocketAddr, Active>,
    tasks: JoinSet<(SocketAddr, u64)>,
    served: u64,
}

impl RequestDispatcher {
    async fn serve(mut self, listener: RequestSocket) {
        let stopping = self.shared.stopping.clone();
        let mut buffer = vec![0; REQUEST];
        loop {
            tokio::select! {
                () = stopping.cancelled() => break,
                Some(ended) = self.tasks.join_next() => self.forget(ended.ok()),
                arrived = listener.receive(&mut buffer) => match arrived {
                    Ok(arrival) => self.take(arrival, &buffer[..arrival.length]).await,
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
            }
        }
        drop(listener);
        let told = async { while self.tasks.join_next().await.is_some() {} };
        // Transfers that have not sent their last packet by then are cut.
        let _ = tokio::time::timeout(GRACE, told).await;
        self.tasks.shutdown().await;
    }

    fn forget(&mut self, ended: Option<(SocketAddr, u64)>) {
        self.shared.active.store(self.tasks.len(), Ordering::Relaxed);
        let Some((peer, serial)) = ended else { return };
        if self.active.get(&peer).is_some_and(|active| active.serial == serial) {
            self.active.remove(&peer);
        }
    }

    async fn take(&mut self, arrival: Arrival, datagram: &[u8]) {
        let parsed = if arrival.is_cut {
            Err(Refusal::new(Code::IllegalOperation, "request too long"))
        } else {
            packet::parse(datagram)
        };
        let report = |file: &[u8]| TransferReport::new(self.shared.log.clone(), arrival.peer, file);
        let illegal = |text: &str| Refusal::new(Code::IllegalOperation, text);
        match parsed {
            Ok(Packet::Read(request)) => self.admit(arrival, datagram, (Direction::Read, request)).await,
            Ok(Packet::Write(request)) => self.admit(arrival, datagram, (Direction::Write, request)).await,
            Ok(Packet::Data | Packet::Ack(_)) => {
                answer(&arrival, &Refusal::new(Code::UnknownTransfer, "unknown transfer ID")).await;
            }
            Ok(Packet::OptionAck) => answer(&arrival, &illegal("not a request")).await,
            // An ERROR is never answered, lest two servers answer each other for ever.
            Ok(Packet::Error { .. }) => {}
            Err(refusal) => refuse(&arrival, &report(b""), &refusal).await,
        }
    }

    async fn admit(
        &mut self,
        arrival: Arrival,
        datagram: &[u8],
        (direction, request): (Direction, FileRequest),
    ) {
        let peer = arrival.peer;
        if let Some(active) = self.active.get(&peer) {
            if active.request == datagram && !active.answered.load(Ordering::Relaxed) {
                // Asked again before our first answer arrived. A transfer to the client repeats it by its own timer.
                active.repeated.notify_one();
                return;
            }
            active.superseded.cancel();
        }
        let report = TransferReport::new(self.shared.log.clone(), peer, &request.file);
        if !self.make_room(peer) {
            return refuse(&arrival, &report, &Refusal::new(Code::NotDefined, "server busy")).await;
        }
        self.served += 1;
        let active = Active {
            serial: self.served,
            request: datagram.to_vec(),
            answered: Arc::default(),
            repeated: Arc::default(),
            superseded: CancellationToken::new(),
            replaced: CancellationToken::new(),
        };
        let job = Job {
            shared: Arc::clone(&self.shared),
            arrival,
            request,
            report,
            answered: Arc::clone(&active.answered),
            repeated: Arc::clone(&active.repeated),
            superseded: active.superseded.clone(),
            replaced: active.replaced.clone(),
        };
        let serial = self.served;
        self.active.insert(peer, active);
        self.tasks.spawn(async move {
            match direction {
                Direction::Read => job.run().await,
                Direction::Write => receive::run(job).await,
            }
            (peer, serial)
        });
        self.shared.active.store(self.tasks.len(), Ordering::Relaxed);
    }

    /// Whether there is room for one more to `peer`; where there is none, the oldest transfer whose client never answered ends.
    fn make_room(&mut self, peer: SocketAddr) -> bool {
        let of_peer = self.active.keys().filter(|active| active.ip() == peer.ip()).count();
        if of_peer >= TRANSFERS_PER_PEER {
            return self.replace(|active| active.ip() == peer.ip());
        }
        self.active.len() < TRANSFERS || self.replace(|_| true)
    }

    fn replace(&mut self, may_go: impl Fn(&SocketAddr) -> bool) -> bool {
        let unanswered = self
            .active
            .iter()
            .filter(|(peer, active)| may_go(peer) && !active.answered.load(Ordering::Relaxed));
        let oldest = unanswered.min_by_key(|(_, active)| active.serial).map(|(peer, _)| *peer);
        let Some(replaced) = oldest.and_then(|peer| self.active.remove(&peer)) else { return false };
        replaced.replaced.cancel();
        true
    }
}
