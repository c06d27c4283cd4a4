//! U-Boot's block cache (drivers/block/blkcache.c): small reads are remembered until something is written.

use std::collections::VecDeque;

use crate::storage_interface::StorageInterface;

/// What is in the cache.
#[derive(Debug)]
pub(super) struct BlockCache {
    entries: VecDeque<CachedRead>,
    /// Blocks of the largest read that is remembered.
    most_blocks: u64,
    most_entries: u64,
    hits: u64,
    misses: u64,
}

#[derive(Debug)]
struct CachedRead {
    interface: StorageInterface,
    device: u32,
    start: u64,
    count: u64,
    bytes: Vec<u8>,
}

impl Default for BlockCache {
    fn default() -> Self {
        Self { entries: VecDeque::new(), most_blocks: 8, most_entries: 32, hits: 0, misses: 0 }
    }
}

impl BlockCache {
    /// Blocks that are remembered whole.
    pub(super) fn look_up(
        &mut self,
        interface: StorageInterface,
        device: u32,
        start: u64,
        count: u64,
    ) -> Option<Vec<u8>> {
        let place = self.entries.iter().position(|entry| {
            (entry.interface, entry.device) == (interface, device)
                && entry.start <= start
                && start + count <= entry.start + entry.count
        });
        let found = place.and_then(|place| self.entries.remove(place));
        let Some(entry) = found.filter(|entry| entry.count > 0) else {
            self.misses += 1;
            return None;
        };
        self.hits += 1;
        let block = entry.bytes.len() as u64 / entry.count;
        let from = ((start - entry.start) * block) as usize;
        let bytes = entry.bytes[from..from + (count * block) as usize].to_vec();
        self.entries.push_front(entry);
        Some(bytes)
    }

    /// Remembers a read, unless it is too large.
    pub(super) fn fill(
        &mut self,
        interface: StorageInterface,
        device: u32,
        start: u64,
        bytes: &[u8],
        count: u64,
    ) {
        if count == 0 || count > self.most_blocks || self.most_entries == 0 {
            return;
        }
        self.entries.truncate(self.most_entries as usize - 1);
        self.entries.push_front(CachedRead { interface, device, start, count, bytes: bytes.to_vec() });
    }

    /// Forgets a device that is written to.
    pub(super) fn forget(&mut self, interface: StorageInterface, device: u32) {
        self.entries.retain(|entry| (entry.interface, entry.device) != (interface, device));
    }

    /// Sets its bounds, and forgets all.
    pub(super) fn configure(&mut self, blocks: u64, entries: u64) {
        *self = Self { most_blocks: blocks, most_entries: entries, ..Self::default() };
    }

    /// What `blkcache show` prints; its statistics begin again.
    pub(super) fn show(&mut self) -> String {
        let said = format!(
            "hits: {}\nmisses: {}\nentries: {}\nmax blocks/entry: {}\nmax cache entries: {}\n",
            self.hits,
            self.misses,
            self.entries.len(),
            self.most_blocks,
            self.most_entries
        );
        (self.hits, self.misses) = (0, 0);
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_reads_are_remembered_until_a_write() {
        let mut cache = BlockCache::default();
        cache.fill(StorageInterface::Mmc, 0, 10, &[7; 1024], 2);
        cache.fill(StorageInterface::Mmc, 0, 20, &[7; 512 * 9], 9);
        assert_eq!(cache.look_up(StorageInterface::Mmc, 0, 11, 1), Some(vec![7; 512]));
        for (interface, device, start, count) in [
            (StorageInterface::Mmc, 0, 11, 2),
            (StorageInterface::Mmc, 1, 10, 1),
            (StorageInterface::Nvme, 0, 10, 1),
            (StorageInterface::Mmc, 0, 20, 1),
        ] {
            assert_eq!(cache.look_up(interface, device, start, count), None);
        }
        assert!(cache.show().starts_with("hits: 1\nmisses: 4\nentries: 1\n"));
        cache.forget(StorageInterface::Mmc, 0);
        assert_eq!(cache.look_up(StorageInterface::Mmc, 0, 10, 1), None);
        cache.configure(0, 0);
        cache.fill(StorageInterface::Mmc, 0, 10, &[7; 512], 1);
        assert_eq!(
            cache.show(),
            "hits: 0\nmisses: 0\nentries: 0\nmax blocks/entry: 0\nmax cache entries: 0\n"
        );
    }
}
