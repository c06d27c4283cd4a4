//! Whether an image ends where its own partition table says, so that it was not cut short.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Lengths of a sector, in bytes (UEFI 2.10 section 5.3.1: whatever the medium has).
const SECTORS: [u64; 2] = [512, 4096];
/// Where a partition table of the BIOS has its entries, and how long each is, in bytes.
const ENTRIES: usize = 446;
const ENTRY: usize = 16;
/// Type of the entry that stands for a GPT.
const PROTECTIVE: u8 = 0xee;

/// Whether `file` of `length` bytes has a partition table, and all that the table speaks of.
pub(crate) fn ends(file: &File, length: u64) -> bool {
    let mut first = [0; 512];
    if file.read_exact_at(&mut first, 0).is_err() {
        return false;
    }
    let entries: Vec<&[u8]> = first[ENTRIES..510].chunks(ENTRY).filter(|entry| entry[4] != 0).collect();
    if !first.ends_with(&[0x55, 0xaa]) || entries.is_empty() {
        return false;
    }
    if entries.iter().any(|entry| entry[4] == PROTECTIVE) {
        return SECTORS.iter().any(|sector| has_both(file, *sector, length));
    }
    // Whatever is there without a table (the boot sector of a file system) has no sensible entries.
    let sensible = |entry: &&[u8]| matches!(entry[0], 0 | 0x80) && word(entry, 8) > 0 && word(entry, 12) > 0;
    let end = entries.iter().map(|entry| (word(entry, 8) + word(entry, 12)) * SECTORS[0]).max();
    entries.iter().all(sensible) && end.is_some_and(|end| end <= length)
}

/// Whether the first header of a GPT names the last one, and that is there: it is the end of the medium.
fn has_both(file: &File, sector: u64, length: u64) -> bool {
    let header = |at: u64| {
        let mut header = [0; 92];
        let read = at.checked_mul(sector).map(|offset| file.read_exact_at(&mut header, offset));
        (matches!(read, Some(Ok(()))) && header.starts_with(b"EFI PART")).then_some(header)
    };
    let last = header(1).map(|first| u64::from(word(&first, 32) as u32) | word(&first, 36) << 32);
    last.is_some_and(|last| {
        let end = last.checked_add(1).and_then(|count| count.checked_mul(sector));
        end.is_some_and(|end| end <= length) && header(last).is_some()
    })
}

/// A number of 32 bits, the lowest byte first.
fn word(bytes: &[u8], at: usize) -> u64 {
    let bytes: [u8; 4] = bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).unwrap_or_default();
    u64::from(u32::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A table with one entry: its type, first sector and how many.
    fn table(kind: u8, first: u32, count: u32) -> Vec<u8> {
        let mut image = vec![0; 64 * 1024];
        image[446 + 4] = kind;
        image[446 + 8..446 + 12].copy_from_slice(&first.to_le_bytes());
        image[446 + 12..446 + 16].copy_from_slice(&count.to_le_bytes());
        image[510..512].copy_from_slice(&[0x55, 0xaa]);
        image
    }

    fn gpt(sector: usize) -> Vec<u8> {
        let mut image = table(PROTECTIVE, 1, 127);
        let last = image.len() / sector - 1;
        for at in [1, last] {
            image[at * sector..][..8].copy_from_slice(b"EFI PART");
            image[at * sector + 32..][..8].copy_from_slice(&(last as u64).to_le_bytes());
        }
        image
    }

    #[test]
    fn an_image_that_has_all_its_table_speaks_of_was_not_cut() {
        let boot_sector = table(b'N', 0x2020_2020, 7); // text where a table has entries
        let cut = |image: Vec<u8>, by: usize| image[..image.len() - by].to_vec();
        for (name, image, whole) in [
            ("gpt", gpt(512), true),
            ("gpt, one byte short", cut(gpt(512), 1), false),
            ("gpt of 4096", gpt(4096), true),
            ("gpt of 4096, cut", cut(gpt(4096), 4096), false),
            ("mbr", table(0x83, 64, 64), true),
            ("mbr, cut", cut(table(0x83, 64, 64), 1), false),
            ("mbr, beyond", table(0x83, 64, 65), false),
            ("mbr, huge", table(0x83, u32::MAX, u32::MAX), false),
            ("no entry", table(0, 0, 0), false),
            ("no table", vec![7; 64 * 1024], false),
            ("boot sector", boot_sector, false),
            ("short", vec![0; 100], false),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&image).unwrap();
            assert_eq!(ends(&file, image.len() as u64), whole, "{name}");
        }
    }
}
