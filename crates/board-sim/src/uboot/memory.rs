//! The board's memory, as far as something has been loaded into it.

use std::collections::BTreeMap;
use std::ops::Range;

/// What was loaded where. Later loads overwrite earlier ones where they overlap.
#[derive(Debug, Default)]
pub(crate) struct Memory(BTreeMap<u64, Vec<u8>>);

impl Memory {
    /// Loads `bytes` at `address`.
    pub(crate) fn load(&mut self, address: u64, bytes: Vec<u8>) {
        let end = address.saturating_add(bytes.len() as u64);
        let touched: Vec<u64> = self
            .0
            .range(..end)
            .filter(|(start, old)| *start + old.len() as u64 > address)
            .map(|(start, _)| *start)
            .collect();
        for start in touched {
            let Some(mut old) = self.0.remove(&start) else { continue };
            let old_end = start + old.len() as u64;
            if old_end > end {
                self.0.insert(end, old.split_off((end - start) as usize));
            }
            if start < address {
                old.truncate((address - start) as usize);
                self.0.insert(start, old);
            }
        }
        self.0.insert(address, bytes);
    }

    /// What was loaded exactly at `address`: its range.
    pub(crate) fn extent(&self, address: u64) -> Option<Range<u64>> {
        self.0.get(&address).map(|bytes| address..address + bytes.len() as u64)
    }

    /// Up to `length` bytes from `address` on, as far as they lie in one load.
    pub(crate) fn read(&self, address: u64, length: u64) -> Option<&[u8]> {
        let (start, bytes) = self.0.range(..=address).next_back()?;
        let from = usize::try_from(address - start).ok()?;
        let to = from.checked_add(usize::try_from(length).ok()?)?;
        bytes.get(from..to)
    }

    /// Bytes loaded in all.
    pub(crate) fn size(&self) -> u64 {
        self.0.values().map(|bytes| bytes.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_load_overwrites_what_it_overlaps() {
        let mut memory = Memory::default();
        memory.load(100, vec![1; 10]);
        memory.load(104, vec![2; 3]);
        assert_eq!(memory.extent(100), Some(100..104));
        assert_eq!(memory.extent(104), Some(104..107));
        assert_eq!(memory.read(107, 3), Some(&[1, 1, 1][..]));
        assert_eq!(memory.read(107, 4), None);
        assert_eq!(memory.size(), 10);
        memory.load(90, vec![3; 30]);
        assert_eq!((memory.extent(100), memory.size()), (None, 30));
    }
}
