//! How often an address may give a wrong passphrase.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Wrong passphrases that one address may give within [`MEMORY`].
const MOST: u32 = 10;
/// How long they are remembered.
pub(crate) const MEMORY: Duration = Duration::from_secs(60);
/// Addresses that are remembered; beyond that the oldest are forgotten.
const REMEMBERED: usize = 4096;

/// Wrong passphrases of late.
#[derive(Debug, Default)]
pub(crate) struct WrongPassphrases(Mutex<HashMap<IpAddr, (u32, Instant)>>);

impl WrongPassphrases {
    /// Whether this address may try once more. The try counts until [`WrongPassphrases::forget`].
    pub(crate) fn may_try(&self, address: IpAddr) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (_, since)| since.elapsed() < MEMORY);
        if all.len() >= REMEMBERED
            && let Some(oldest) = all.iter().min_by_key(|(_, (_, since))| *since).map(|(it, _)| *it)
        {
            all.remove(&oldest);
        }
        let (count, _) = all.entry(network(address)).or_insert((0, Instant::now()));
        *count += 1;
        *count <= MOST
    }

    /// The passphrase was right.
    pub(crate) fn forget(&self, address: IpAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&network(address));
    }
}

/// An IPv6 user has a whole /64 (RFC 4291 section 2.5.1), so that counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_wrong_passphrases_a_minute() {
        let wrong = WrongPassphrases::default();
        let [one, same, other] =
            ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map(|it| it.parse::<IpAddr>().unwrap());
        assert!((0..MOST).all(|_| wrong.may_try(one)));
        assert!(!wrong.may_try(same) && wrong.may_try(other));
        tokio::time::advance(MEMORY).await;
        assert!(wrong.may_try(one));
        wrong.forget(one);
        assert!((0..MOST).all(|_| wrong.may_try(one)), "a right one counts for nothing");
    }
}
