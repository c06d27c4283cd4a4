//! Which connections are accepted: bounds for each address, so that no client keeps others out, and a bound on guesses of the passphrase.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::failure::{CallFailure, CallResult};

/// Connections that have not said yet who they are: of one address, and of all. A further one takes the place of the oldest.
const STRANGERS: [usize; 2] = [64, 256];
/// Connections that may use the exporter: of one address, and of all. A further one is refused.
const CLIENTS: [usize; 2] = [128, 256];
/// Wrong passphrases that one address may send within [`MEMORY`].
pub(crate) const GUESSES: u32 = 10;
/// How long wrong passphrases are remembered.
const MEMORY: Duration = Duration::from_secs(60);
/// Addresses whose wrong passphrases are remembered; beyond that the oldest are forgotten.
const REMEMBERED: usize = 4096;
/// Worker threads that the connections of one address may keep busy: half of what there is for all.
const WORKERS: usize = 128;

/// Where a connection comes from. An IPv6 client has a whole /64 (RFC 4291 section 2.5.1), so that counts as one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    /// The unix socket of this user.
    Socket,
    /// The router of a lab: its client is somewhere.
    Tunnel,
    Address(IpAddr),
}

impl Origin {
    pub(crate) fn of(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address => address,
        })
    }

    /// Whether it is on this machine. A client behind a tunnel that ends here counts, and may log in here as well.
    pub(crate) fn is_local(self) -> bool {
        match self {
            Self::Socket => true,
            Self::Tunnel => false,
            // The network of `::1` has no other address.
            Self::Address(address) => address.is_loopback() || address == IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }
}

/// Every connection, and the wrong passphrases of late.
#[derive(Debug, Default)]
pub(crate) struct Admission(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// The oldest first.
    strangers: Vec<(u64, Origin, CancellationToken)>,
    clients: HashMap<Origin, usize>,
    /// Turns on worker threads, for as long as an address has a connection.
    workers: HashMap<Origin, Weak<Semaphore>>,
    guesses: HashMap<Origin, FailedGuesses>,
}

#[derive(Clone, Copy, Debug)]
struct FailedGuesses {
    count: u32,
    since: Instant,
}

/// One connection; its place is free once this is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionSlot {
    admission: Arc<Admission>,
    id: u64,
    origin: Origin,
    is_client: AtomicBool,
    /// Turns on worker threads of all connections of the address.
    pub(crate) workers: Arc<Semaphore>,
    /// Cancelled when the connection has to make room for another one, at once.
    pub(crate) evicted: CancellationToken,
    /// Cancelled when the connection was refused; it has an answer that says so.
    pub(crate) refused: CancellationToken,
}

impl Admission {
    /// A client has connected, and has sent nothing yet.
    pub(crate) fn arrive(self: &Arc<Self>, origin: Origin) -> ConnectionSlot {
        let evicted = CancellationToken::new();
        let mut state = self.state();
        let workers = state.workers(origin);
        state.next += 1;
        let id = state.next;
        let of_origin = state.strangers.iter().filter(|it| it.1 == origin).count();
        let oldest = match (of_origin >= STRANGERS[0], state.strangers.len() >= STRANGERS[1]) {
            (true, _) => state.strangers.iter().position(|it| it.1 == origin),
            (false, true) => Some(0),
            (false, false) => None,
        };
        if let Some(oldest) = oldest {
            state.strangers.remove(oldest).2.cancel();
        }
        state.strangers.push((id, origin, evicted.clone()));
        ConnectionSlot {
            admission: Arc::clone(self),
            id,
            origin,
            is_client: AtomicBool::new(false),
            workers,
            evicted,
            refused: CancellationToken::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn workers(&mut self, origin: Origin) -> Arc<Semaphore> {
        self.workers.retain(|_, workers| workers.strong_count() > 0);
        let known = self.workers.get(&origin).and_then(Weak::upgrade);
        let workers = known.unwrap_or_else(|| Arc::new(Semaphore::new(WORKERS)));
        self.workers.insert(origin, Arc::downgrade(&workers));
        workers
    }
}

impl ConnectionSlot {
    /// Whether it comes from this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.origin.is_local()
    }

    /// Whether it was let in.
    pub(crate) fn is_client(&self) -> bool {
        self.is_client.load(Ordering::Relaxed)
    }

    /// Lets it in.
    ///
    /// # Errors
    /// When its address, or all together, have too many connections.
    pub(crate) fn admit(&self) -> CallResult<()> {
        let mut state = self.admission.state();
        if self.is_client() {
            return Ok(());
        }
        let own = state.clients.get(&self.origin).copied().unwrap_or(0);
        let all: usize = state.clients.values().sum();
        let bound = |most: usize, whose: &str| {
            CallFailure::too_much(format!(
                "{whose} {most} connections, the most there may be; close some first"
            ))
        };
        match () {
            () if own >= CLIENTS[0] => return Err(bound(CLIENTS[0], "this address has")),
            () if all >= CLIENTS[1] => return Err(bound(CLIENTS[1], "all clients together have")),
            () => {}
        }
        state.strangers.retain(|it| it.0 != self.id);
        *state.clients.entry(self.origin).or_default() += 1;
        self.is_client.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether its address may send a passphrase now.
    ///
    /// # Errors
    /// After too many wrong ones.
    pub(crate) fn may_guess(&self) -> CallResult<()> {
        let mut state = self.admission.state();
        state.guesses.retain(|_, guesses| guesses.since.elapsed() < MEMORY);
        match state.guesses.get(&self.origin) {
            Some(guesses) if guesses.count >= GUESSES => {
                let left = MEMORY.saturating_sub(guesses.since.elapsed()).as_secs() + 1;
                Err(CallFailure::too_much(format!(
                    "too many wrong passphrases came from this address; try again in {left} s"
                )))
            }
            _ => Ok(()),
        }
    }

    /// It has sent a wrong passphrase; gives how many its address has sent of late.
    pub(crate) fn guessed_wrong(&self) -> u32 {
        let mut state = self.admission.state();
        if state.guesses.len() >= REMEMBERED && !state.guesses.contains_key(&self.origin) {
            let oldest =
                state.guesses.iter().min_by_key(|(_, guesses)| guesses.since).map(|(origin, _)| *origin);
            oldest.map(|oldest| state.guesses.remove(&oldest));
        }
        let new = FailedGuesses { count: 0, since: Instant::now() };
        let guesses = state.guesses.entry(self.origin).or_insert(new);
        guesses.count += 1;
        guesses.count
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut state = self.admission.state();
        state.strangers.retain(|it| it.0 != self.id);
        if self.is_client()
            && let Some(count) = state.clients.get_mut(&self.origin)
        {
            *count -= 1;
            if *count == 0 {
                state.clients.remove(&self.origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::of(text.parse().unwrap())
    }

    #[test]
    fn addresses_that_one_client_has_count_as_one() {
        let check = |one, other, same| assert_eq!(origin(one) == origin(other), same, "{one} {other}");
        check("10.0.0.7", "10.0.0.7", true);
        check("10.0.0.7", "10.0.0.8", false);
        check("10.0.0.7", "::ffff:10.0.0.7", true);
        check("2001:db8:0:1::7", "2001:db8:0:1:ffff::8", true);
        check("2001:db8:0:1::7", "2001:db8:0:2::7", false);
        for (address, local) in
            [("127.0.0.2", true), ("::1", true), ("::ffff:127.0.0.1", true), ("10.0.0.7", false)]
        {
            assert_eq!(origin(address).is_local(), local, "{address}");
        }
    }

    #[test]
    fn who_never_says_anything_makes_room_for_who_comes_next() {
        let admission = Arc::new(Admission::default());
        let flood: Vec<_> = (0..1000).map(|_| admission.arrive(origin("10.0.0.7"))).collect();
        let gone = flood.iter().filter(|it| it.evicted.is_cancelled()).count();
        assert_eq!(gone, 1000 - STRANGERS[0]);
        let other = admission.arrive(origin("10.0.0.8"));
        other.admit().unwrap();
        let many: Vec<_> = (0..200).map(|it| admission.arrive(origin(&format!("10.1.0.{it}")))).collect();
        assert!(!other.evicted.is_cancelled() && many.iter().all(|it| !it.evicted.is_cancelled()));
    }

    #[test]
    fn one_address_never_has_all_connections() {
        let admission = Arc::new(Admission::default());
        let arrive = |address: &str| admission.arrive(origin(address));
        let greedy: Vec<_> = (0..200).map(|_| arrive("10.0.0.7")).filter(|it| it.admit().is_ok()).collect();
        assert_eq!(greedy.len(), CLIENTS[0]);
        assert_eq!(
            arrive("10.0.0.7").admit().unwrap_err().text,
            "this address has 128 connections, the most there may be; close some first"
        );
        arrive("10.0.0.8").admit().unwrap();
        drop(greedy);
        arrive("10.0.0.7").admit().unwrap();
        assert!(admission.state().clients.is_empty() && admission.state().strangers.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn guesses_are_bounded_per_address() {
        let admission = Arc::new(Admission::default());
        let (guesser, other) = (admission.arrive(origin("10.0.0.7")), admission.arrive(origin("10.0.0.8")));
        for count in 1..=GUESSES {
            guesser.may_guess().unwrap();
            assert_eq!(guesser.guessed_wrong(), count);
        }
        let again = admission.arrive(origin("10.0.0.7"));
        let text = again.may_guess().unwrap_err().text;
        assert_eq!(text, "too many wrong passphrases came from this address; try again in 61 s");
        other.may_guess().unwrap();
        tokio::time::advance(MEMORY).await;
        again.may_guess().unwrap();
        for it in 0..2 * REMEMBERED {
            let [high, low] = u16::try_from(it).unwrap().to_be_bytes();
            admission.arrive(origin(&format!("10.2.{high}.{low}"))).guessed_wrong();
        }
        assert_eq!(admission.state().guesses.len(), REMEMBERED);
    }
}
