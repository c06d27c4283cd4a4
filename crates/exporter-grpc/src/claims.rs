//! Who has what: serial lines, running servers and boards under a flash have one user at a time.
//!
//! What is asked for and taken is refused with the name of the holder, never queued behind it and never shared.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flasher_core::Device;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::failure::{CallFailure, CallResult};

/// A driver, by where it is in memory: a node and all references to it have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(usize);

impl Key {
    /// The key of a device; none for a group.
    pub(crate) fn of(device: &Device) -> Option<Self> {
        device.driver().map(|driver| Self(Arc::as_ptr(&driver).cast::<()>() as usize))
    }
}

/// Everything that is taken.
#[derive(Debug, Default)]
pub(crate) struct Claims(Mutex<HashMap<Key, Holder>>, Notify);

#[derive(Clone, Debug)]
struct Holder {
    ticket: u64,
    what: &'static str,
    who: String,
    connection: Option<u64>,
    since: Instant,
    /// Cancelled to make the holder let go.
    evicted: CancellationToken,
    /// Whether the holder gives it up as soon as another client asks.
    lingers: bool,
}

/// What a client or job holds until this is dropped.
pub(crate) struct Claim {
    claims: Arc<Claims>,
    keys: Vec<Key>,
    ticket: u64,
    /// Cancelled when the holder has to let go.
    pub(crate) evicted: CancellationToken,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Claims {
    /// Takes `keys` for `what` of a client, once they are free, which may take as long as `patience`.
    ///
    /// # Errors
    /// When another holder has one of them; names the holder.
    pub(crate) async fn take(
        self: &Arc<Self>,
        keys: &[Key],
        what: &'static str,
        connection: &Connection,
        patience: Duration,
    ) -> CallResult<Claim> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let freed = self.1.notified();
            match self.try_take(keys, what, &connection.peer, Some(connection.id)) {
                Ok(claim) => return Ok(claim),
                Err(failure) => {
                    if tokio::time::timeout_at(deadline, freed).await.is_err() {
                        return Err(failure);
                    }
                }
            }
        }
    }

    /// Takes `keys` now, or not at all.
    ///
    /// # Errors
    /// When another holder has one of them; names the holder.
    pub(crate) fn try_take(
        self: &Arc<Self>,
        keys: &[Key],
        what: &'static str,
        who: &str,
        connection: Option<u64>,
    ) -> CallResult<Claim> {
        let mut held = self.held();
        let taken = keys.iter().filter_map(|key| held.get(key)).collect::<Vec<_>>();
        if let Some(holder) = taken.first() {
            taken.iter().filter(|holder| holder.lingers).for_each(|holder| holder.evicted.cancel());
            return Err(holder.refuse());
        }
        let ticket = held.values().map(|holder| holder.ticket).max().unwrap_or(0) + 1;
        let evicted = CancellationToken::new();
        let holder = Holder {
            ticket,
            what,
            who: who.to_owned(),
            connection,
            since: Instant::now(),
            evicted: evicted.clone(),
            lingers: false,
        };
        keys.iter().for_each(|key| drop(held.insert(*key, holder.clone())));
        Ok(Claim { claims: Arc::clone(self), keys: keys.to_vec(), ticket, evicted })
    }

    /// Whether this connection may use what `key` names: it is free, or held by the connection itself.
    ///
    /// # Errors
    /// When another holder has it; names the holder.
    pub(crate) fn free_for(&self, key: Key, connection: u64) -> CallResult<()> {
        match self.held().get(&key) {
            Some(holder) if holder.connection != Some(connection) => Err(holder.refuse()),
            _ => Ok(()),
        }
    }

    /// Makes the holder of `key` let go.
    pub(crate) fn evict(&self, key: Key) {
        if let Some(holder) = self.held().get(&key) {
            holder.evicted.cancel();
        }
    }

    /// Who has what `key` names, and for how long, in words; none when it is free.
    pub(crate) fn holder(&self, key: Key) -> Option<String> {
        let held = self.held();
        let holder = held.get(&key)?;
        Some(format!("{} of {} for {} s", holder.what, holder.who, holder.since.elapsed().as_secs()))
    }

    /// Whether anything is taken.
    pub(crate) fn are_held(&self) -> bool {
        !self.held().is_empty()
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Key, Holder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// From now on, the next client that asks gets it.
    pub(crate) fn linger(&self) {
        let mut held = self.claims.held();
        held.values_mut()
            .filter(|holder| holder.ticket == self.ticket)
            .for_each(|holder| holder.lingers = true);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.held().retain(|_, holder| holder.ticket != self.ticket);
        self.claims.1.notify_waiters();
    }
}

impl Holder {
    fn refuse(&self) -> CallFailure {
        let seconds = self.since.elapsed().as_secs();
        CallFailure::taken(format!(
            "in use by {} of {} for {seconds} s; wait for it to end, or end it",
            self.what, self.who
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Key = Key(1);
    const B: Key = Key(2);

    #[test]
    fn a_claim_names_its_holder() {
        let claims = Arc::new(Claims::default());
        let claim = claims.try_take(&[A, B], "a flash job", "10.0.0.7:5000", Some(1)).unwrap();
        let refused = claims.try_take(&[B], "a serial stream", "10.0.0.8:1", Some(2)).unwrap_err();
        assert_eq!(
            refused,
            CallFailure::taken(
                "in use by a flash job of 10.0.0.7:5000 for 0 s; wait for it to end, or end it"
            )
        );
        assert_eq!(claims.free_for(A, 2).unwrap_err(), refused);
        claims.free_for(A, 1).unwrap();
        drop(claim);
        claims.try_take(&[B], "a serial stream", "10.0.0.8:1", Some(2)).unwrap();
        claims.free_for(A, 2).unwrap();
    }

    #[tokio::test]
    async fn one_that_lingers_makes_room_for_whoever_asks() {
        let claims = Arc::new(Claims::default());
        let claim = claims.try_take(&[A], "a serial stream", "first", Some(1)).unwrap();
        claim.linger();
        let evicted = claim.evicted.clone();
        tokio::spawn(async move {
            evicted.cancelled().await;
            drop(claim);
        });
        let second = Connection::for_tests(2);
        claims.take(&[A], "a serial stream", &second, Duration::from_secs(20)).await.unwrap();
    }
}
