//! The board's memory, as far as something has been loaded into it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What was loaded where. Later loads overwrite earlier ones where they overlap.
#[derive(Debug, Default)]
pub(crate) struct LoadedMemory {
    bytes: BTreeMap<u64, Vec<u8>>,
    /// Start and end of each load as it was made: one that was overwritten later still claims its range.
    loads: BTreeMap<u64, u64>,
    /// Where something was unpacked to: its length is not known.
    unpacked: BTreeSet<u64>,
}

impl LoadedMemory {
    /// Loads `bytes` at `address`.
    pub(crate) fn load(&mut self, address: u64, bytes: Vec<u8>) {
        let end = address.saturating_add(bytes.len() as u64);
        let touched: Vec<u64> = self
            .bytes
            .range(..end)
            .filter(|(start, old)| *start + old.len() as u64 > address)
            .map(|(start, _)| *start)
            .collect();
        for start in touched {
            let Some(mut old) = self.bytes.remove(&start) else { continue };
            let old_end = start + old.len() as u64;
            if old_end > end {
                self.bytes.insert(end, old.split_off((end - start) as usize));
            }
            if start < address {
                old.truncate((address - start) as usize);
                self.bytes.insert(start, old);
            }
        }
        self.bytes.insert(address, bytes);
        self.loads.retain(|start, _| !(address..end).contains(start));
        self.loads.insert(address, end);
    }

    /// Puts what was unpacked at `address`.
    pub(crate) fn unpack(&mut self, address: u64, bytes: Vec<u8>) {
        self.load(address, bytes);
        self.unpacked.insert(address);
    }

    /// Whether what lies at `address` was unpacked there, so that any length may be claimed for it.
    pub(crate) fn is_unpacked(&self, address: u64) -> bool {
        self.unpacked.contains(&address)
    }

    /// The range of what was loaded exactly at `address`, as it was loaded.
    pub(crate) fn extent(&self, address: u64) -> Option<Range<u64>> {
        self.loads.get(&address).map(|&end| address..end)
    }

    /// Up to `length` bytes from `address` on, as far as they lie in one load.
    pub(crate) fn read(&self, address: u64, length: u64) -> Option<&[u8]> {
        let (start, bytes) = self.bytes.range(..=address).next_back()?;
        let from = usize::try_from(address - start).ok()?;
        let to = from.checked_add(usize::try_from(length).ok()?)?;
        bytes.get(from..to)
    }

    /// Bytes loaded in all.
    pub(crate) fn size(&self) -> u64 {
        self.bytes.values().map(|bytes| bytes.len() as u64).sum()
    }
}

/// An address or number as U-Boot reads it: hexadecimal, `0x` or not.
pub(super) fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_load_overwrites_what_it_overlaps() {
        let mut memory = LoadedMemory::default();
        memory.load(100, vec![1; 10]);
        memory.load(104, vec![2; 3]);
        assert_eq!(memory.extent(100), Some(100..110), "it still claims what was overwritten");
        assert_eq!(memory.extent(104), Some(104..107));
        assert_eq!(memory.read(107, 3), Some(&[1, 1, 1][..]));
        assert_eq!(memory.read(107, 4), None);
        assert_eq!(memory.size(), 10);
        memory.load(90, vec![3; 30]);
        assert_eq!((memory.extent(100), memory.size()), (None, 30));
    }
}
