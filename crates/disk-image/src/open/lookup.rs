//! Looks for the copy of an image in the cache, and says where one is to be kept.

use crate::Digest;
use crate::cache::{Cache, CacheHit, CacheSlot, Key, Meta};

/// The cache, if there is one.
pub(crate) struct CacheLookup {
    pub(crate) cache: Option<Cache>,
    /// Digest of the block map that the image is read with.
    pub(crate) block_map: Option<Digest>,
}

impl CacheLookup {
    /// A copy of what has this digest, stored or decoded.
    pub(crate) fn by_digest(&self, sha256: Digest) -> Option<CacheHit> {
        let fits = |meta: &Meta| meta.source_sha256 == sha256 || meta.decoded_sha256 == sha256;
        self.cache.as_ref()?.find_where(self.block_map, fits)
    }

    /// A copy of a source whose stored bytes have this digest.
    pub(crate) fn by_source(&self, sha256: Digest) -> Option<CacheHit> {
        self.cache.as_ref()?.find_where(self.block_map, |meta| meta.source_sha256 == sha256)
    }

    /// A copy of the source in the state of `key`, or else where it is to be kept. Where the stored bytes were read and have
    /// the digest `found`, a copy must be one of theirs, from whatever place.
    pub(crate) fn by_key(
        &self,
        key: Option<Key>,
        found: Option<Digest>,
    ) -> (Option<CacheHit>, Option<CacheSlot>) {
        let cache = self.cache.clone();
        let named = cache.as_ref().zip(key.as_ref()).and_then(|(cache, key)| cache.find(key));
        let hit = match found {
            Some(found) => {
                named.filter(|hit| hit.meta.source_sha256 == found).or_else(|| self.by_source(found))
            }
            None => named,
        };
        match hit {
            Some(hit) => (Some(hit), None),
            None => (None, cache.zip(key).map(|(cache, key)| CacheSlot { cache, key })),
        }
    }
}
