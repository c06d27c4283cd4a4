//! Partition tables: MBR, and GPT (UEFI Specification 2.10, chapter 5) of sectors of 512 and of 4096 bytes.

use flate2::Crc;

use crate::PartitionTable;

/// Longest partition list that is looked at, entries.
const ENTRIES: u32 = 1024;
/// Type of the entry that only keeps old tools away.
pub(super) const PROTECTIVE: u8 = 0xee;

/// The table that `head` begins with.
pub(super) fn of(head: &[u8]) -> Option<PartitionTable> {
    match (gpt(head, 512), gpt(head, 4096)) {
        (Some(small), Some(large)) => {
            Some(PartitionTable { is_gpt: true, sector: None, end: small.min(large) })
        }
        (Some(end), None) => Some(PartitionTable { is_gpt: true, sector: Some(512), end }),
        (None, Some(end)) => Some(PartitionTable { is_gpt: true, sector: Some(4096), end }),
        (None, None) => mbr(head).map(|end| PartitionTable { is_gpt: false, sector: None, end }),
    }
}

/// Where an MBR's last partition ends. It is one when each of its four entries says clearly whether it is active.
fn mbr(head: &[u8]) -> Option<u64> {
    if head.get(510..512)? != [0x55, 0xaa] {
        return None;
    }
    let mut end = 512;
    for entry in head.get(446..510)?.chunks_exact(16) {
        let (active, kind) = (entry[0], entry[4]);
        let (start, size) = (u64::from(word(entry, 8)?), u64::from(word(entry, 12)?));
        if active & 0x7f != 0 || (kind != 0 && size == 0) {
            return None;
        }
        if kind != 0 && kind != PROTECTIVE {
            end = end.max((start + size) * 512);
        }
    }
    Some(end)
}

/// The header of a GPT of this sector size.
pub(super) fn header(head: &[u8], sector: usize) -> Option<&[u8]> {
    header_at(head, sector, sector)
}

/// The header of a GPT of this sector size that begins at `at`.
pub(super) fn header_at(bytes: &[u8], at: usize, sector: usize) -> Option<&[u8]> {
    let header = bytes.get(at..)?;
    let size = word(header, 12)? as usize;
    if !header.starts_with(b"EFI PART") || !(92..=sector).contains(&size) {
        return None;
    }
    let mut sum = Crc::new();
    sum.update(header.get(..16)?);
    sum.update(&[0; 4]);
    sum.update(header.get(20..size)?);
    (sum.sum() == word(header, 16)?).then_some(header)
}

/// Where the disk ends that a GPT of this sector size describes.
fn gpt(head: &[u8], sector: usize) -> Option<u64> {
    let header = header(head, sector)?;
    let copy = long(header, 32)?;
    let last = copy.max(last_partition(head, header, sector).unwrap_or(0));
    Some(last.saturating_add(1).saturating_mul(sector as u64))
}

/// Last sector of the partition that ends last.
fn last_partition(head: &[u8], header: &[u8], sector: usize) -> Option<u64> {
    let entries = entries(head, header, sector)?;
    entries.filter(|entry| entry[..16] != [0; 16]).filter_map(|entry| long(entry, 40)).max()
}

/// The entries of a GPT's list, also the empty ones.
pub(super) fn entries<'h>(
    head: &'h [u8],
    header: &[u8],
    sector: usize,
) -> Option<impl Iterator<Item = &'h [u8]> + use<'h>> {
    let begin = usize::try_from(long(header, 72)?).ok()?.checked_mul(sector)?;
    entries_at(head, begin, header)
}

/// The entries of a list that begins at `begin`.
pub(super) fn entries_at<'h>(
    bytes: &'h [u8],
    begin: usize,
    header: &[u8],
) -> Option<impl Iterator<Item = &'h [u8]> + use<'h>> {
    let entries = bytes.get(begin..)?.chunks_exact(word(header, 84)?.max(128) as usize);
    Some(entries.take(word(header, 80)?.min(ENTRIES) as usize))
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(super) fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
