//! The board's memory: bytes at every address of DRAM, and what was loaded where.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

/// Bytes of a page, held when something was written to it.
const PAGE: u64 = 64 * 1024;
/// Pages held at most: 256 MiB.
const PAGES: usize = 4096;

/// What lies in DRAM. SparseMemory that was not written to holds bytes without meaning, the same at each look.
#[derive(Debug, Default)]
pub(crate) struct SparseMemory {
    pages: BTreeMap<u64, Box<[u8]>>,
    /// Start and end of each load as it was made: one that was overwritten later still claims its range.
    loads: BTreeMap<u64, u64>,
    /// Where something was unpacked to whose length is not known.
    unpacked: BTreeSet<u64>,
}

/// The simulation holds no more memory than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemoryFull;

impl SparseMemory {
    /// Writes bytes.
    pub(super) fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), MemoryFull> {
        let mut rest = bytes;
        let mut address = address;
        while !rest.is_empty() {
            let (number, from) = (address / PAGE, (address % PAGE) as usize);
            let count = rest.len().min(PAGE as usize - from);
            let (now, later) = rest.split_at(count);
            self.page(number)?[from..from + count].copy_from_slice(now);
            rest = later;
            address += count as u64;
        }
        Ok(())
    }

    fn page(&mut self, number: u64) -> Result<&mut [u8], MemoryFull> {
        if self.pages.len() >= PAGES && !self.pages.contains_key(&number) {
            return Err(MemoryFull);
        }
        Ok(self.pages.entry(number).or_insert_with(|| untouched(number).into()))
    }

    /// Reads bytes.
    pub(super) fn read(&self, address: u64, length: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length as usize);
        let end = address.saturating_add(length);
        let mut address = address;
        while address < end {
            let (number, from) = (address / PAGE, address % PAGE);
            let count = (PAGE - from).min(end - address);
            let part = from as usize..(from + count) as usize;
            match self.pages.get(&number) {
                Some(page) => bytes.extend_from_slice(&page[part]),
                None => bytes.extend_from_slice(&untouched(number)[part]),
            }
            address += count;
        }
        bytes
    }

    /// Loads `bytes` at `address`: boot commands know from then on that something is there.
    pub(super) fn load(&mut self, address: u64, bytes: &[u8]) -> Result<(), MemoryFull> {
        self.write(address, bytes)?;
        self.claim(address, bytes.len() as u64);
        Ok(())
    }

    /// Takes a range for something that was loaded.
    pub(super) fn claim(&mut self, address: u64, length: u64) {
        let end = address.saturating_add(length);
        self.loads.retain(|start, _| !(address..end).contains(start));
        self.loads.insert(address, end);
    }

    /// Puts what was unpacked at `address`.
    pub(super) fn unpack(&mut self, address: u64, bytes: &[u8]) -> Result<(), MemoryFull> {
        self.load(address, bytes)?;
        self.unpacked.insert(address);
        Ok(())
    }

    /// Whether what lies at `address` was unpacked there, so that any length may be claimed for it.
    pub(super) fn is_unpacked(&self, address: u64) -> bool {
        self.unpacked.contains(&address)
    }

    /// The range of what was loaded exactly at `address`, as it was loaded.
    pub(super) fn extent(&self, address: u64) -> Option<Range<u64>> {
        self.loads.get(&address).map(|&end| address..end)
    }

    /// Whether `address` lies in something that was loaded.
    pub(super) fn is_loaded(&self, address: u64) -> bool {
        self.loads.range(..=address).any(|(_, &end)| address < end)
    }
}

/// What a page holds before anything was written to it: its number, then what no file would have.
fn untouched(number: u64) -> Vec<u8> {
    static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let words = (1..=PAGE / 8).map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
        words.flat_map(u64::to_le_bytes).collect()
    });
    let mut page = PATTERN.clone();
    page[..8].copy_from_slice(&number.to_le_bytes());
    page
}

/// An address or number as U-Boot reads it: hexadecimal, `0x` or not.
pub(super) fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// A hexadecimal number as U-Boot's commands read it: as far as it is one, and 0 when it is none (`hextoul`).
pub(super) fn hextoul(text: &str) -> u64 {
    digits(text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(text), 16)
}

/// A decimal number, as far as it is one (`dectoul`).
pub(super) fn dectoul(text: &str) -> u64 {
    digits(text, 10)
}

fn digits(text: &str, base: u32) -> u64 {
    let digits = text.chars().map_while(|letter| letter.to_digit(base));
    digits.fold(0, |number: u64, digit| number.wrapping_mul(base.into()).wrapping_add(digit.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_holds_what_was_written_and_odd_bytes_elsewhere() {
        let mut memory = SparseMemory::default();
        let before = memory.read(PAGE - 8, 16);
        assert_eq!(before, memory.read(PAGE - 8, 16), "the same at each look");
        assert_ne!(before[..8], before[8..]);
        memory.write(PAGE - 2, &[1, 2, 3, 4]).unwrap();
        assert_eq!(memory.read(PAGE - 3, 6), [before[5], 1, 2, 3, 4, before[10]]);
        assert!(memory.read(5, 0).is_empty());
    }

    #[test]
    fn it_is_bounded() {
        let mut memory = SparseMemory::default();
        for page in 0..PAGES as u64 {
            memory.write(page * PAGE, &[0]).unwrap();
        }
        memory.write(0, &[1]).unwrap();
        assert_eq!(memory.write(PAGES as u64 * PAGE, &[0]), Err(MemoryFull));
    }

    #[test]
    fn a_load_claims_its_range_until_it_is_replaced() {
        let mut memory = SparseMemory::default();
        memory.load(100, &[1; 10]).unwrap();
        memory.load(104, &[2; 3]).unwrap();
        assert_eq!(memory.extent(100), Some(100..110), "it still claims what was overwritten");
        assert_eq!(memory.extent(104), Some(104..107));
        assert_eq!(memory.read(103, 5), [1, 2, 2, 2, 1]);
        assert!(memory.is_loaded(109) && !memory.is_loaded(110));
        memory.load(90, &[3; 30]).unwrap();
        assert_eq!(memory.extent(100), None);
    }

    #[test]
    fn numbers_are_read_as_far_as_they_go() {
        for (text, number) in [("0x10", 16), ("10", 16), ("1fz", 31), ("zz", 0), ("", 0)] {
            assert_eq!(hextoul(text), number, "{text}");
        }
        assert_eq!((dectoul("10"), dectoul("1a"), dectoul("x")), (10, 1, 0));
    }
}
