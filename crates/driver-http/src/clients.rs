//! The connected clients: no address takes all places, and a connection that waits for its own address gets the place of a
//! connection that does nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use flasher_core::CancellationToken;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

/// Connections of one address that are served at a time; further ones wait, and do not delay other addresses.
const SERVED: usize = 64;
/// Connections of one address, waiting ones among them; a further one takes the place of the oldest that waits.
const HELD: usize = 512;
/// Connections of all addresses; a further one is closed when its address has most of them, else one of that address is.
const ALL: usize = 768;
/// A connection without a request for so long gives its place up to one of its address that waits.
const IDLE: Duration = Duration::from_secs(2);
/// How often one that waits looks for such a connection.
const LOOK: Duration = Duration::from_millis(250);
/// A client that does not take so many bytes of its answer in this time while they wait for it is cut: 218 bytes a second.
/// Slow on purpose, for a board that flushes a slow card does not read meanwhile.
const PACE: (u64, Duration) = (64 * 1024, Duration::from_secs(300));
/// The same for a client whose place another connection of its address waits for.
const PACE_WANTED: (u64, Duration) = (64 * 1024, Duration::from_secs(30));

/// The connections of a server, by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clients(Arc<Mutex<HashMap<IpAddr, Client>>>);

#[derive(Debug)]
struct Client {
    places: Arc<Semaphore>,
    connections: Vec<Arc<Activity>>,
}

/// What a connection does.
#[derive(Debug)]
pub(crate) struct Activity {
    /// Ends it.
    cut: CancellationToken,
    /// Whether it has its place.
    served: AtomicBool,
    /// Requests that are being answered.
    requests: AtomicU64,
    /// Bytes the client took.
    taken: AtomicU64,
    /// Whether bytes wait for the client.
    blocked: AtomicBool,
    /// Since when it has had nothing to do, if it has not.
    rests: Mutex<Instant>,
    looked: Mutex<ActivitySnapshot>,
}

/// The activity at the last check.
#[derive(Clone, Copy, Debug)]
struct ActivitySnapshot {
    since: Instant,
    taken: u64,
}

/// A connection in the table; dropping it takes it out.
#[derive(Debug)]
pub(crate) struct TableEntry {
    clients: Clients,
    address: IpAddr,
    pub(crate) activity: Arc<Activity>,
}

impl Clients {
    /// Takes a connection in; none when there are too many, and it is to be closed. `cut` ends it.
    pub(crate) fn enter(&self, address: IpAddr, cut: CancellationToken) -> Option<TableEntry> {
        let mut table = self.table();
        let held = |client: &Client| client.connections.len();
        let all: usize = table.values().map(held).sum();
        let own = table.get(&address).map_or(0, held);
        if own >= HELD {
            let waiting = &mut table.get_mut(&address)?.connections;
            let oldest = waiting.iter().position(|one| !one.is_served())?;
            waiting.remove(oldest).cut.cancel();
        } else if all >= ALL {
            let largest = table.values_mut().max_by_key(|client| client.connections.len())?;
            if own >= largest.connections.len() {
                return None;
            }
            largest.connections.remove(0).cut.cancel();
        }
        let activity = Arc::new(Activity::new(cut));
        let client = table
            .entry(address)
            .or_insert_with(|| Client { places: Arc::new(Semaphore::new(SERVED)), connections: Vec::new() });
        client.connections.push(Arc::clone(&activity));
        Some(TableEntry { clients: self.clone(), address, activity })
    }

    /// Cuts the connection of `address` that does least, if one does so little that another may have its place.
    fn make_room(&self, address: IpAddr) {
        let table = self.table();
        let Some(client) = table.get(&address) else { return };
        let may_go = |activity: &&Arc<Activity>| activity.is_idle() || activity.is_slow(PACE_WANTED);
        if let Some(activity) = client.connections.iter().filter(|one| one.is_served()).find(may_go) {
            activity.cut.cancel();
        }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<IpAddr, Client>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TableEntry {
    /// Waits for a place among those of its address.
    pub(crate) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        let places = Arc::clone(&self.clients.table().get(&self.address)?.places);
        let mut taken = std::pin::pin!(places.acquire_owned());
        loop {
            tokio::select! {
                biased;
                place = &mut taken => {
                    self.activity.begin();
                    return place.ok();
                }
                () = self.activity.cut.cancelled() => return None,
                () = sleep(LOOK) => self.clients.make_room(self.address),
            }
        }
    }
}

impl Drop for TableEntry {
    fn drop(&mut self) {
        let mut table = self.clients.table();
        let Some(client) = table.get_mut(&self.address) else { return };
        client.connections.retain(|other| !Arc::ptr_eq(other, &self.activity));
        if client.connections.is_empty() {
            table.remove(&self.address);
        }
    }
}

impl Activity {
    fn new(cut: CancellationToken) -> Self {
        let now = Instant::now();
        let (rests, looked) = (Mutex::new(now), Mutex::new(ActivitySnapshot { since: now, taken: 0 }));
        let (served, blocked) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { cut, served, requests: AtomicU64::new(0), taken: AtomicU64::new(0), blocked, rests, looked }
    }

    /// It has its place: what it did before, nothing, is not held against it.
    fn begin(&self) {
        self.served.store(true, Ordering::Relaxed);
        *self.rests() = Instant::now();
    }

    /// A request is being answered until the result is dropped.
    pub(crate) fn request(self: &Arc<Self>) -> RequestGuard {
        self.requests.fetch_add(1, Ordering::Relaxed);
        RequestGuard(Arc::clone(self))
    }

    /// Waits until the client has taken too little for too long.
    pub(crate) async fn too_slow(&self) {
        loop {
            sleep(PACE.1 / 4).await;
            if self.is_slow(PACE) {
                return;
            }
        }
    }

    fn is_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0
            && !self.blocked.load(Ordering::Relaxed)
            && self.rests().elapsed() >= IDLE
    }

    /// Whether bytes wait for the client, and it took less than that many in that time.
    fn is_slow(&self, (least, time): (u64, Duration)) -> bool {
        let taken = self.taken.load(Ordering::Relaxed);
        let mut looked = self.looked();
        if !self.blocked.load(Ordering::Relaxed) || taken - looked.taken >= least {
            *looked = ActivitySnapshot { since: Instant::now(), taken };
            return false;
        }
        looked.since.elapsed() >= time
    }

    fn rests(&self) -> MutexGuard<'_, Instant> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn looked(&self) -> MutexGuard<'_, ActivitySnapshot> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct RequestGuard(Arc<Activity>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        *self.0.rests() = Instant::now();
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that tells what its client takes.
#[derive(Debug)]
pub(crate) struct WatchedStream<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> WatchedStream<S> {
    pub(crate) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }

    fn note(&self, written: Poll<std::io::Result<usize>>) -> Poll<std::io::Result<usize>> {
        self.activity.blocked.store(written.is_pending(), Ordering::Relaxed);
        if let Poll::Ready(Ok(length)) = &written {
            self.activity.taken.fetch_add(*length as u64, Ordering::Relaxed);
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_holds_many_keeps_nobody_else_from_a_place() {
        let clients = Clients::default();
        let cuts: Vec<_> = (0..600).map(|_| CancellationToken::new()).collect();
        let held: Vec<_> = cuts.iter().filter_map(|cut| clients.enter(address(1), cut.clone())).collect();
        assert_eq!(held.len(), 600);
        assert_eq!(cuts.iter().filter(|cut| cut.is_cancelled()).count(), 600 - HELD);
        let other = clients.enter(address(2), CancellationToken::new()).expect("room");
        assert!(other.place().await.is_some());
        let others: Vec<_> =
            (0..300).filter_map(|_| clients.enter(address(3), CancellationToken::new())).collect();
        assert_eq!(others.len(), 300);
        // Those over the limit of all took the places of the first address, oldest first.
        let gone = cuts.iter().filter(|cut| cut.is_cancelled()).count();
        assert_eq!(gone, 600 + 1 + 300 - ALL);
        assert!(cuts[0].is_cancelled());
        drop((held, other, others));
        assert!(clients.table().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_place_of_one_that_does_nothing() {
        for (busy, gets_it) in [(false, true), (true, false)] {
            let clients = Clients::default();
            let mut places = Vec::new();
            for _ in 0..SERVED {
                let cut = CancellationToken::new();
                let guest = clients.enter(address(1), cut.clone()).expect("room");
                let place = guest.place().await;
                let answering = busy.then(|| guest.activity.request());
                places.push(tokio::spawn(async move {
                    cut.cancelled().await;
                    drop((guest, place, answering));
                }));
            }
            let late = clients.enter(address(1), CancellationToken::new()).expect("room");
            let waited = tokio::time::timeout(Duration::from_secs(60), late.place()).await;
            assert_eq!(waited.is_ok(), gets_it, "busy: {busy}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_client_that_lets_bytes_wait_is_slow() {
        let (least, time) = PACE;
        for (blocked, taken, expected) in
            [(true, 0, true), (true, least - 1, true), (true, least, false), (false, 0, false)]
        {
            let activity = Activity::new(CancellationToken::new());
            assert!(!activity.is_slow(PACE));
            activity.blocked.store(blocked, Ordering::Relaxed);
            sleep(time).await;
            activity.taken.store(taken, Ordering::Relaxed);
            assert_eq!(activity.is_slow(PACE), expected, "{blocked} {taken}");
        }
    }
}
