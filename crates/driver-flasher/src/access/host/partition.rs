//! A partition by its label, out of the GUID partition table on the disk (UEFI specification, 5.3): the kernel may know an older one.

use flasher_core::{Class, Error, Result, RootCause, suggest};
use flate2::Crc;

use super::disk::{AlignedBuffer, Disk};
use super::window::Window;

/// The mark at the beginning of the table's header.
pub(super) const TABLE_MARK: &[u8] = b"EFI PART";
/// Bytes of the header that its checksum is over, at least.
const HEADER: usize = 92;
/// Bytes of an entry, at least.
const ENTRY: usize = 128;
/// Most bytes of all entries: many times what any tool makes.
const MOST: usize = 1 << 20;

/// The part of `disk`, of `size` bytes, that is labelled `label`. Blocks.
///
/// # Errors
/// When there is none, or several; lists the labels there are.
pub(super) fn find(disk: &Disk, size: u64, label: &str) -> Result<Window> {
    let all = read(disk, size)?;
    let node = &disk.node;
    let mut fits = all.iter().filter(|(its, _)| its == label);
    match (fits.next(), fits.next()) {
        (Some((_, window)), None) => Ok(*window),
        (None, _) => {
            let labels: Vec<&str> = all.iter().map(|(label, _)| label.as_str()).collect();
            let there = if labels.is_empty() { "none".to_owned() } else { suggest::list(labels) };
            Err(wrong(format!("no partition of `{node}` is labelled `{label}`")).with("labels", there))
        }
        (Some(_), Some(_)) => Err(wrong(format!("several partitions of `{node}` are labelled `{label}`"))),
    }
}

fn wrong(text: String) -> Error {
    Error::new(Class::Medium, text)
        .help("flash the whole medium first, or name another partition")
        .caused_by(RootCause::NoPartition)
        .retryable(false)
}

/// Labels and places of all partitions.
fn read(disk: &Disk, size: u64) -> Result<Vec<(String, Window)>> {
    let damaged = || wrong(format!("`{}` has no GUID partition table, or a damaged one", disk.node));
    let sector = disk.sector as usize;
    let header = bytes(disk, disk.sector, sector)?;
    let (place, length) = entries(&header, disk.sector).ok_or_else(damaged)?;
    let whole = length.next_multiple_of(sector);
    if place.saturating_add(whole as u64) > size {
        return Err(damaged());
    }
    let all = bytes(disk, place, whole)?;
    parse(&header, &all[..length], disk.sector, size).ok_or_else(damaged)
}

fn bytes(disk: &Disk, at: u64, length: usize) -> Result<Vec<u8>> {
    let mut buffer = AlignedBuffer::new(length);
    disk.read(at, buffer.first_mut(length))?;
    Ok(buffer.first(length).to_vec())
}

/// Where the entries are, and how many bytes; none unless the header is whole.
fn entries(header: &[u8], sector: u64) -> Option<(u64, usize)> {
    let length = usize::try_from(u32_at(header, 12)?).ok()?;
    let mut own =
        header.get(..length).filter(|_| length >= HEADER && header.starts_with(TABLE_MARK))?.to_vec();
    own[16..20].fill(0);
    if crc32(&own) != u32_at(header, 16)? {
        return None;
    }
    let (count, size) = (u32_at(header, 80)?, u32_at(header, 84)?);
    let bytes = usize::try_from(count).ok()?.checked_mul(usize::try_from(size).ok()?)?;
    let fits = size as usize >= ENTRY && bytes > 0 && bytes <= MOST;
    Some((u64_at(header, 72)?.checked_mul(sector)?, bytes)).filter(|_| fits)
}

/// The entries that are in use; none unless all of them are whole and on the disk.
fn parse(header: &[u8], all: &[u8], sector: u64, size: u64) -> Option<Vec<(String, Window)>> {
    if crc32(all) != u32_at(header, 88)? {
        return None;
    }
    let each = usize::try_from(u32_at(header, 84)?).ok()?;
    let used = all.chunks_exact(each).filter(|entry| entry[..16].iter().any(|byte| *byte != 0));
    used.map(|entry| {
        let (first, last) = (u64_at(entry, 32)?, u64_at(entry, 40)?);
        let (start, end) = (first.checked_mul(sector)?, last.checked_add(1)?.checked_mul(sector)?);
        let window = Window { start, length: end.checked_sub(start).filter(|length| *length > 0)? };
        Some((label(&entry[56..ENTRY]), window)).filter(|_| end <= size)
    })
    .collect()
}

/// A label is UTF-16, up to a zero.
fn label(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units.take_while(|unit| *unit != 0)).map(|it| it.unwrap_or('\u{fffd}')).collect()
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Refuses partitions that share bytes.
///
/// # Errors
/// The first two that do.
pub(super) fn must_be_apart(windows: &[(String, Window)]) -> Result<()> {
    for (index, (name, window)) in windows.iter().enumerate() {
        if let Some((other, _)) = windows[..index].iter().find(|(_, other)| other.meets(*window)) {
            let text = format!("the partitions `{other}` and `{name}` share bytes");
            return Err(wrong(text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_that_share_bytes() {
        let part = |name: &str, start, length| (name.to_owned(), Window { start, length });
        assert!(must_be_apart(&[part("a", 0, 10), part("b", 10, 10)]).is_ok());
        let error = must_be_apart(&[part("a", 0, 11), part("b", 10, 10)]).unwrap_err();
        assert_eq!(error.to_string(), "the partitions `a` and `b` share bytes");
    }

    /// A header and one entry, from sector 34 to `last`.
    fn table(last: u64) -> (Vec<u8>, Vec<u8>) {
        let mut entry = vec![0; ENTRY];
        entry[..16].fill(7);
        entry[32..40].copy_from_slice(&34_u64.to_le_bytes());
        entry[40..48].copy_from_slice(&last.to_le_bytes());
        for (index, unit) in "my röot".encode_utf16().enumerate() {
            entry[56 + 2 * index..][..2].copy_from_slice(&unit.to_le_bytes());
        }
        let mut header = vec![0; 512];
        header[..8].copy_from_slice(TABLE_MARK);
        header[12..16].copy_from_slice(&92_u32.to_le_bytes());
        header[72..80].copy_from_slice(&2_u64.to_le_bytes());
        header[80..84].copy_from_slice(&1_u32.to_le_bytes());
        header[84..88].copy_from_slice(&128_u32.to_le_bytes());
        header[88..92].copy_from_slice(&crc32(&entry).to_le_bytes());
        let sum = crc32(&header[..92]);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        (header, entry)
    }

    #[test]
    fn a_table_is_read_whole_or_not_at_all() {
        let (header, entry) = table(99);
        assert_eq!(entries(&header, 512), Some((1024, 128)));
        let found = parse(&header, &entry, 512, 1 << 20);
        assert_eq!(found, Some(vec![("my röot".to_owned(), Window { start: 34 * 512, length: 66 * 512 })]));
        assert_eq!(parse(&header, &entry, 512, 99 * 512), None, "it ends behind the disk");
        let mut damaged = header.clone();
        damaged[80] = 9;
        assert_eq!(entries(&damaged, 512), None);
        assert_eq!(parse(&header, &[0; 128], 512, 1 << 20), None);
        let (header, entry) = table(33);
        assert_eq!(parse(&header, &entry, 512, 1 << 20), None, "it has no bytes");
        assert_eq!(entries(&[0; 512], 512), None);
    }
}
