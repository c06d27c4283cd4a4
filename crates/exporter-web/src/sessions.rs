//! Sessions of browsers: a random cookie, and for each a random token that every action has to bring. Both are in memory only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

/// How long a session lives after its last use.
pub(crate) const LIFE: Duration = Duration::from_secs(12 * 3600);
/// Sessions at most; beyond that the one goes that was not used for longest, of those that did not log in if there are any.
const MOST: usize = 4096;

/// A session as a request sees it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct BrowserSession {
    /// What the cookie holds.
    pub(crate) id: String,
    /// What an action has to bring.
    pub(crate) token: String,
    /// Whether its user gave the passphrase.
    pub(crate) is_in: bool,
}

impl std::fmt::Debug for BrowserSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BrowserSession").field("is_in", &self.is_in).finish_non_exhaustive()
    }
}

impl BrowserSession {
    /// Whether `given` is the token. Takes the same time whatever differs.
    pub(crate) fn has_token(&self, given: &str) -> bool {
        self.token.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, StoredSession>>);

#[derive(Debug)]
struct StoredSession {
    token: String,
    is_in: bool,
    used: Instant,
}

impl Sessions {
    /// The session of a cookie; none when it is over, or never was.
    pub(crate) fn find(&self, id: &str) -> Option<BrowserSession> {
        let mut all = self.all();
        let stored = all.get_mut(id).filter(|stored| stored.used.elapsed() < LIFE)?;
        stored.used = Instant::now();
        Some(BrowserSession { id: id.to_owned(), token: stored.token.clone(), is_in: stored.is_in })
    }

    /// A new session; none when this machine gives no random bytes.
    pub(crate) fn begin(&self, is_in: bool) -> Option<BrowserSession> {
        let (id, token) = (random()?, random()?);
        let mut all = self.all();
        all.retain(|_, stored| stored.used.elapsed() < LIFE);
        if all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, stored)| (stored.is_in, stored.used));
            let oldest = oldest.map(|(id, _)| id.clone()).unwrap_or_default();
            all.remove(&oldest);
        }
        all.insert(id.clone(), StoredSession { token: token.clone(), is_in, used: Instant::now() });
        Some(BrowserSession { id, token, is_in })
    }

    /// Ends a session.
    pub(crate) fn end(&self, id: &str) {
        self.all().remove(id);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, StoredSession>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 128 random bits as hexadecimal text.
pub(crate) fn random() -> Option<String> {
    let mut bytes = [0; 16];
    if let Err(error) = getrandom::fill(&mut bytes) {
        tracing::error!(%error, "this machine gives no random bytes");
        return None;
    }
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_when_it_is_not_used() {
        let sessions = Sessions::default();
        let begun = sessions.begin(true).unwrap();
        tokio::time::advance(LIFE / 2).await;
        assert_eq!(sessions.find(&begun.id), Some(begun.clone()));
        tokio::time::advance(LIFE / 2).await;
        assert!(sessions.find(&begun.id).is_some(), "it was used meanwhile");
        tokio::time::advance(LIFE).await;
        assert!(sessions.find(&begun.id).is_none());
        assert!(sessions.find("").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn many_strangers_end_no_session_of_a_user() {
        let sessions = Sessions::default();
        let user = sessions.begin(true).unwrap();
        let first = sessions.begin(false).unwrap();
        for _ in 0..MOST {
            tokio::time::advance(Duration::from_millis(1)).await;
            sessions.begin(false).unwrap();
        }
        assert!(sessions.find(&user.id).is_some() && sessions.find(&first.id).is_none());
        assert_eq!(sessions.all().len(), MOST);
        sessions.end(&user.id);
        assert!(sessions.find(&user.id).is_none());
    }

    #[test]
    fn tokens_are_compared_whole_and_never_shown() {
        let session = Sessions::default().begin(false).unwrap();
        assert!(session.has_token(&session.token));
        for wrong in ["", &session.token[1..], &session.id] {
            assert!(!session.has_token(wrong));
        }
        assert!(!format!("{session:?}").contains(&session.token));
    }
}
