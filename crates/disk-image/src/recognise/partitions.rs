//! The partitions that a table names, in its order.

use super::table::{self, PROTECTIVE, entries, header, long, word};
use crate::Partition;

/// Bytes of a partition's label in a GPT: 36 characters of UTF-16 (UEFI 2.10, table 5-6).
const LABEL: std::ops::Range<usize> = 56..128;
/// Bytes at a medium's end that hold the copy of a GPT of 128 entries, for sectors of 512 and of 4096 bytes (UEFI 2.10, 5.3.2).
pub const COPY_LOOK: u64 = 16_384 + 4096;
/// Sector size of an MBR.
const SECTOR: u64 = 512;

/// The partitions of the table that `head` begins with, the first [`LOOK`](crate::LOOK) bytes of a medium; none without a table. Logical
/// partitions of an MBR are not listed.
pub fn partitions(head: &[u8]) -> Vec<Partition> {
    let of_gpt = [512, 4096].into_iter().find_map(|sector| gpt(head, sector));
    match (of_gpt, table::of(head)) {
        (Some(partitions), _) => partitions,
        (None, Some(_)) => mbr(head),
        (None, None) => Vec::new(),
    }
}

/// The partitions that the copy of a GPT names, of which `tail` is the end of a medium of `size` bytes: the last [`COPY_LOOK`] of
/// them, or all. None where there is no copy.
pub fn partitions_of_copy(tail: &[u8], size: u64) -> Vec<Partition> {
    let copied = |sector: usize| {
        let header = table::header_at(tail, tail.len().checked_sub(sector)?, sector)?;
        let begin = usize::try_from(
            long(header, 72)?.checked_mul(sector as u64)?.checked_sub(size - tail.len() as u64)?,
        );
        listed(table::entries_at(tail, begin.ok()?, header)?, sector)
    };
    [512, 4096].into_iter().find_map(copied).unwrap_or_default()
}

fn gpt(head: &[u8], sector: usize) -> Option<Vec<Partition>> {
    listed(entries(head, header(head, sector)?, sector)?, sector)
}

fn listed<'h>(entries: impl Iterator<Item = &'h [u8]>, sector: usize) -> Option<Vec<Partition>> {
    let used = (1..).zip(entries).filter(|(_, entry)| entry[..16] != [0; 16]);
    Some(used.filter_map(|(number, entry)| of_entry(number, entry, sector as u64)).collect())
}

/// A partition of a GPT; none when its sectors cannot be meant.
fn of_entry(number: u32, entry: &[u8], sector: u64) -> Option<Partition> {
    let (first, last) = (long(entry, 32)?, long(entry, 40)?);
    let length = last.checked_sub(first)?.checked_add(1)?.checked_mul(sector)?;
    let offset = first.checked_mul(sector)?;
    offset.checked_add(length)?;
    let units = entry.get(LABEL)?.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let label: String = char::decode_utf16(units.take_while(|unit| *unit != 0))
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Some(Partition { number, label: Some(label).filter(|label| !label.is_empty()), offset, length })
}

fn mbr(head: &[u8]) -> Vec<Partition> {
    let entries = head.get(446..510).unwrap_or_default().chunks_exact(16);
    let used = (1..).zip(entries).filter(|(_, entry)| entry[4] != 0 && entry[4] != PROTECTIVE);
    let partition = |(number, entry): (u32, &[u8])| {
        let (first, sectors) = (u64::from(word(entry, 8)?), u64::from(word(entry, 12)?));
        Some(Partition { number, label: None, offset: first * SECTOR, length: sectors * SECTOR })
    };
    used.filter_map(partition).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    /// What `sfdisk` makes of `script` on an empty disk of 64 MiB.
    fn disk(script: &str) -> Option<Vec<u8>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(64 << 20).unwrap();
        let mut sfdisk = Command::new("sfdisk");
        let sfdisk = sfdisk.arg(file.path()).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let Ok(mut sfdisk) = sfdisk else {
            println!("skipped: no sfdisk");
            return None;
        };
        sfdisk.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(sfdisk.wait().unwrap().success());
        let mut head = std::fs::read(file.path()).unwrap();
        head.truncate(crate::LOOK);
        Some(head)
    }

    #[test]
    fn tables_of_real_tools_are_read() {
        let check = |script: &str, expected: &[(u32, Option<&str>, u64, u64)]| {
            let Some(head) = disk(script) else { return };
            let found = partitions(&head);
            let found: Vec<_> =
                found.iter().map(|it| (it.number, it.label.as_deref(), it.offset, it.length)).collect();
            assert_eq!(found, expected, "{script}");
        };
        check(
            "label: gpt\nstart=2048, size=8192, name=boot\nstart=20480, size=65536, name=\"mÿ root\"\n",
            &[(1, Some("boot"), 2048 * 512, 8192 * 512), (2, Some("mÿ root"), 20480 * 512, 65536 * 512)],
        );
        check(
            "label: dos\nstart=2048, size=8192, type=c\nstart=20480, size=65536\n",
            &[(1, None, 2048 * 512, 8192 * 512), (2, None, 20480 * 512, 65536 * 512)],
        );
        check("label: gpt\n", &[]);
    }

    #[test]
    fn what_is_no_table_names_no_partitions() {
        for head in [vec![], vec![0; 100], vec![0xff; crate::LOOK], vec![0x55; 512]] {
            assert!(partitions(&head).is_empty());
        }
    }
}
