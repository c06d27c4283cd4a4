//! Who has what: serial lines, running servers and boards under a flash have one user at a time, but for the file servers of jobs, which
//! boards of one lab share.
//!
//! What is asked for and taken is refused with the name of the holder, never queued behind it.

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

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClaimRequest {
    key: Key,
    sharing: Sharing,
}

/// Who else may have it meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// No one.
    Alone,
    /// Other jobs.
    WithJobs,
}

impl From<Key> for ClaimRequest {
    /// For one user alone.
    fn from(key: Key) -> Self {
        Self { key, sharing: Sharing::Alone }
    }
}

impl ClaimRequest {
    /// What a job uses this device for; none for a group. Jobs of several boards use one file server at the same time.
    pub(crate) fn by_job(device: &Device) -> Option<Self> {
        let is_server = matches!(device, Device::FileServer(_) | Device::ContentServer(_));
        let sharing = if is_server { Sharing::WithJobs } else { Sharing::Alone };
        Some(Self { key: Key::of(device)?, sharing })
    }

    /// Whether what this holder has cannot be had besides.
    fn is_kept_by(self, holder: &Holder) -> bool {
        (self.sharing, holder.sharing) != (Sharing::WithJobs, Sharing::WithJobs)
    }
}

/// Everything that is taken.
#[derive(Debug, Default)]
pub(crate) struct Claims(Mutex<HashMap<Key, Vec<Holder>>>, Notify);

#[derive(Clone, Debug)]
struct Holder {
    ticket: u64,
    sharing: Sharing,
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
    wanted: Vec<ClaimRequest>,
    ticket: u64,
    /// Cancelled when the holder has to let go.
    pub(crate) evicted: CancellationToken,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl Claims {
    /// Takes what is wanted for `what` of a client, once it is free, which may take as long as `patience`.
    ///
    /// # Errors
    /// When another holder has one of them; names the holder.
    pub(crate) async fn take(
        self: &Arc<Self>,
        wanted: &[ClaimRequest],
        what: &'static str,
        connection: &Connection,
        patience: Duration,
    ) -> CallResult<Claim> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let freed = self.1.notified();
            match self.try_take(wanted, what, &connection.peer, Some(connection.id)) {
                Ok(claim) => return Ok(claim),
                Err(failure) => {
                    if tokio::time::timeout_at(deadline, freed).await.is_err() {
                        return Err(failure);
                    }
                }
            }
        }
    }

    /// Takes what is wanted now, or nothing of it.
    ///
    /// # Errors
    /// When another holder has one of them; names the holder.
    pub(crate) fn try_take(
        self: &Arc<Self>,
        wanted: &[ClaimRequest],
        what: &'static str,
        who: &str,
        connection: Option<u64>,
    ) -> CallResult<Claim> {
        let mut held = self.held();
        let all = wanted.iter().flat_map(|it| holders(&held, it.key).map(move |holder| (it, holder)));
        let taken: Vec<_> =
            all.filter(|(it, holder)| it.is_kept_by(holder)).map(|(_, holder)| holder).collect();
        if let Some(holder) = taken.first() {
            taken.iter().filter(|holder| holder.lingers).for_each(|holder| holder.evicted.cancel());
            return Err(holder.refuse());
        }
        let ticket = held.values().flatten().map(|holder| holder.ticket).max().unwrap_or(0) + 1;
        let evicted = CancellationToken::new();
        for ClaimRequest { key, sharing } in wanted {
            held.entry(*key).or_default().push(Holder {
                ticket,
                sharing: *sharing,
                what,
                who: who.to_owned(),
                connection,
                since: Instant::now(),
                evicted: evicted.clone(),
                lingers: false,
            });
        }
        Ok(Claim { claims: Arc::clone(self), wanted: wanted.to_vec(), ticket, evicted })
    }

    /// Whether this connection may use what is wanted: it is free, or held by the connection itself.
    ///
    /// # Errors
    /// When another holder has it; names the holder.
    pub(crate) fn free_for(&self, wanted: impl Into<ClaimRequest>, connection: u64) -> CallResult<()> {
        let wanted = wanted.into();
        let held = self.held();
        let is_other = |holder: &&Holder| holder.connection != Some(connection) && wanted.is_kept_by(holder);
        let other = holders(&held, wanted.key).find(is_other);
        other.map_or(Ok(()), |holder| Err(holder.refuse()))
    }

    /// Makes the holders of `key` let go.
    pub(crate) fn evict(&self, key: Key) {
        holders(&self.held(), key).for_each(|holder| holder.evicted.cancel());
    }

    /// Who has what `key` names, and for how long, in words; none when it is free.
    pub(crate) fn holder(&self, key: Key) -> Option<String> {
        let held = self.held();
        let holder = holders(&held, key).next()?;
        Some(format!("{} of {} for {} s", holder.what, holder.who, holder.since.elapsed().as_secs()))
    }

    /// Whether anything is taken.
    pub(crate) fn are_held(&self) -> bool {
        !self.held().is_empty()
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Key, Vec<Holder>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those who have what `key` names.
fn holders(held: &HashMap<Key, Vec<Holder>>, key: Key) -> impl Iterator<Item = &Holder> {
    held.get(&key).into_iter().flatten()
}

impl Claim {
    /// From now on, the next client that asks gets it.
    pub(crate) fn linger(&self) {
        let mut held = self.claims.held();
        held.values_mut()
            .flatten()
            .filter(|holder| holder.ticket == self.ticket)
            .for_each(|holder| holder.lingers = true);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.held().retain(|_, holders| {
            holders.retain(|holder| holder.ticket != self.ticket);
            !holders.is_empty()
        });
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
        let claim = claims.try_take(&[A.into(), B.into()], "a flash job", "10.0.0.7:5000", Some(1)).unwrap();
        let refused = claims.try_take(&[B.into()], "a serial stream", "10.0.0.8:1", Some(2)).unwrap_err();
        assert_eq!(
            refused,
            CallFailure::taken(
                "in use by a flash job of 10.0.0.7:5000 for 0 s; wait for it to end, or end it"
            )
        );
        assert_eq!(claims.free_for(A, 2).unwrap_err(), refused);
        claims.free_for(A, 1).unwrap();
        drop(claim);
        claims.try_take(&[B.into()], "a serial stream", "10.0.0.8:1", Some(2)).unwrap();
        claims.free_for(A, 2).unwrap();
    }

    #[test]
    fn jobs_share_a_file_server_and_nothing_else() {
        let claims = Arc::new(Claims::default());
        let server = ClaimRequest { key: B, sharing: Sharing::WithJobs };
        let first = claims.try_take(&[A.into(), server], "a flash job", "first", None).unwrap();
        let second = claims.try_take(&[Key(3).into(), server], "a flash job", "second", None).unwrap();
        claims.free_for(server, 1).unwrap();
        let refused =
            |wanted: ClaimRequest| claims.try_take(&[wanted], "the TFTP server", "third", None).unwrap_err();
        let by = |who| {
            CallFailure::taken(format!(
                "in use by a flash job of {who} for 0 s; wait for it to end, or end it"
            ))
        };
        assert_eq!(refused(A.into()), by("first"));
        assert_eq!(refused(B.into()), by("first"));
        drop(first);
        assert_eq!(refused(B.into()), by("second"));
        drop(second);
        let alone = claims.try_take(&[B.into()], "the TFTP server", "third", None).unwrap();
        assert!(claims.try_take(&[server], "a flash job", "fourth", None).is_err());
        drop(alone);
        assert!(!claims.are_held());
    }

    #[tokio::test]
    async fn one_that_lingers_makes_room_for_whoever_asks() {
        let claims = Arc::new(Claims::default());
        let claim = claims.try_take(&[A.into()], "a serial stream", "first", Some(1)).unwrap();
        claim.linger();
        let evicted = claim.evicted.clone();
        tokio::spawn(async move {
            evicted.cancelled().await;
            drop(claim);
        });
        let second = Connection::for_tests(2);
        claims.take(&[A.into()], "a serial stream", &second, Duration::from_secs(20)).await.unwrap();
    }
}
