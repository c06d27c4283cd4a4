//! Partition tables as U-Boot reads them (disk/part_efi.c, disk/part_dos.c): GPT, else the four entries of an MBR.

use flate2::Crc;

/// Most entries of a GPT that are looked at.
const ENTRIES: usize = 128;
/// Bytes from the beginning that hold a table.
pub(super) const HEAD: u64 = 40 * 1024;
/// An EFI system partition, as its type stands on the medium.
const ESP: [u8; 16] =
    [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];

/// What kind of table it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableKind {
    Efi,
    Dos,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedPartition {
    pub(super) number: u32,
    /// Its first block.
    pub(super) start: u64,
    /// Its blocks.
    pub(super) size: u64,
    pub(super) name: String,
    pub(super) uuid: String,
    pub(super) kind: String,
    pub(super) attributes: u64,
    pub(super) bootable: bool,
}

/// The table that a medium begins with.
pub(super) fn read(head: &[u8], sector: usize) -> Option<(TableKind, Vec<ListedPartition>)> {
    if head.get(510..512)? != [0x55, 0xaa] {
        return None;
    }
    let slots: Vec<&[u8]> = head.get(446..510)?.chunks_exact(16).collect();
    if slots.iter().any(|slot| slot[4] == 0xee) {
        return gpt(head, sector).map(|entries| (TableKind::Efi, entries));
    }
    Some((TableKind::Dos, mbr(head, &slots)))
}

fn mbr(head: &[u8], slots: &[&[u8]]) -> Vec<ListedPartition> {
    let signature = word(head, 440).unwrap_or(0);
    let numbered = slots.iter().zip(1..).filter(|(slot, _)| slot[4] != 0);
    numbered
        .map(|(slot, number)| ListedPartition {
            number,
            start: word(slot, 8).unwrap_or(0).into(),
            size: word(slot, 12).unwrap_or(0).into(),
            name: String::new(),
            uuid: format!("{signature:08x}-{number:02x}"),
            kind: format!("{:02x}", slot[4]),
            attributes: 0,
            bootable: slot[0] == 0x80,
        })
        .collect()
}

fn gpt(head: &[u8], sector: usize) -> Option<Vec<ListedPartition>> {
    let header = head.get(sector..2 * sector)?;
    let size = word(header, 12)? as usize;
    if !header.starts_with(b"EFI PART") || !(92..=sector).contains(&size) {
        return None;
    }
    let mut sum = Crc::new();
    sum.update(&header[..16]);
    sum.update(&[0; 4]);
    sum.update(&header[20..size]);
    let (list, count, entry) = (long(header, 72)?, word(header, 80)? as usize, word(header, 84)? as usize);
    let begin = usize::try_from(list).ok()?.checked_mul(sector)?;
    let bytes = head.get(begin..begin.checked_add(count.checked_mul(entry)?)?)?;
    let mut list_sum = Crc::new();
    list_sum.update(bytes);
    if sum.sum() != word(header, 16)? || list_sum.sum() != word(header, 88)? || entry < 128 {
        return None;
    }
    let used = bytes.chunks_exact(entry).take(ENTRIES).zip(1..).filter(|(slot, _)| slot[..16] != [0; 16]);
    used.map(|(slot, number)| gpt_entry(slot, number)).collect()
}

fn gpt_entry(slot: &[u8], number: u32) -> Option<ListedPartition> {
    let (start, end, attributes) = (long(slot, 32)?, long(slot, 40)?, long(slot, 48)?);
    let letters: Vec<u16> =
        slot.get(56..128)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let letters = letters.split(|&letter| letter == 0).next().unwrap_or_default();
    Some(ListedPartition {
        number,
        start,
        size: (end + 1).saturating_sub(start),
        name: String::from_utf16_lossy(letters),
        uuid: guid(&slot[16..32]),
        kind: guid(&slot[..16]),
        attributes,
        bootable: attributes & 4 != 0 || slot[..16] == ESP,
    })
}

/// A GUID as text: its first three fields are stored with their low bytes first.
fn guid(bytes: &[u8]) -> String {
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::new();
    for (place, index) in order.into_iter().enumerate() {
        if [4, 6, 8, 10].contains(&place) {
            text.push('-');
        }
        text.push_str(&format!("{:02x}", bytes[index]));
    }
    text
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
