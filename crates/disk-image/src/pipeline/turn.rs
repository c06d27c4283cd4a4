//! One decoding at a time, in this process, of each source that is kept in the cache: a job that comes later finds the copy, so that many
//! boards cost one download and one decoding.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::Digest;
use crate::cache::CacheSlot;

/// A folder of copies, and the key of a source.
type TurnKey = (PathBuf, Digest);

/// Those who decode or wait.
static TURNS: LazyLock<Mutex<HashMap<TurnKey, Weak<AsyncMutex<()>>>>> = LazyLock::new(Mutex::default);

/// The right to decode a source. Dropping it lets the next one.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "it is there to be dropped")] OwnedMutexGuard<()>);

/// Waits until no other decoding of the source of `slot` is under way that is going to leave a copy.
pub(crate) async fn wait(slot: &CacheSlot) -> Turn {
    let key = (slot.cache.folder.clone(), slot.key.digest());
    Turn(turns_of(key).lock_owned().await)
}

fn turns_of(key: TurnKey) -> Arc<AsyncMutex<()>> {
    let mut all = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(turns) = all.get(&key).and_then(Weak::upgrade) {
        return turns;
    }
    all.retain(|_, turns| turns.strong_count() > 0);
    let turns = Arc::new(AsyncMutex::new(()));
    all.insert(key, Arc::downgrade(&turns));
    turns
}
