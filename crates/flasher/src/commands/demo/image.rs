//! An image made up on the spot: a valid partition table, data that looks random, and long runs of zeros.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

const SECTOR: u64 = 512;
const MIB: u64 = 1 << 20;
/// Length of the image, bytes.
const LENGTH: u64 = 48 * MIB;
/// Sectors at either end that GPT takes: a header and 128 entries of 128 bytes (UEFI 2.10, section 5.3).
const TABLE: u64 = 33;
/// First and last sector of each partition.
const PARTITIONS: [(u64, u64); 2] = [(2048, 16 * 2048 - 1), (16 * 2048, 47 * 2048 - 1)];
/// Where data lies, bytes: offset and length. The rest is zeros.
const DATA: [(u64, u64); 3] = [(MIB, 3 * MIB), (16 * MIB, 8 * MIB), (40 * MIB, MIB + 4096)];
/// Type GUID of a Linux file system, as it lies on the disk.
const LINUX: [u8; 16] =
    [0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4];

/// Writes the image to `path`.
pub(super) fn write(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.set_len(LENGTH)?;
    let mut noise = Noise::new(0x9e37_79b9_7f4a_7c15);
    for (offset, length) in DATA {
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(&noise.bytes(length as usize))?;
    }
    let (last, entries) = (LENGTH / SECTOR - 1, entries(&mut noise));
    let disk = noise.guid();
    let mut put = |sector: u64, bytes: &[u8]| {
        file.seek(SeekFrom::Start(sector * SECTOR))?;
        file.write_all(bytes)
    };
    put(0, &protective_mbr(last))?;
    put(1, &header(1, last, 2, last, &disk, &entries))?;
    put(2, &entries)?;
    put(last - TABLE + 1, &entries)?;
    put(last, &header(last, 1, last - TABLE + 1, last, &disk, &entries))?;
    file.sync_all()
}

fn protective_mbr(last: u64) -> Vec<u8> {
    let mut sector = vec![0; SECTOR as usize];
    let entry = [0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0];
    sector[446..458].copy_from_slice(&entry);
    sector[458..462].copy_from_slice(&(last as u32).to_le_bytes());
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

fn entries(noise: &mut Noise) -> Vec<u8> {
    let mut table = Vec::new();
    for (number, (first, last)) in PARTITIONS.into_iter().enumerate() {
        let name = format!("demo-{}", number + 1);
        table.extend(LINUX);
        table.extend(noise.guid());
        table.extend(first.to_le_bytes());
        table.extend(last.to_le_bytes());
        table.extend([0; 8]);
        table.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        table.resize((number + 1) * 128, 0);
    }
    table.resize(128 * 128, 0);
    table
}

fn header(own: u64, other: u64, table: u64, last: u64, disk: &[u8; 16], entries: &[u8]) -> Vec<u8> {
    let mut header = b"EFI PART".to_vec();
    header.extend([0, 0, 1, 0, 92, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // revision 1.0, size, checksum, reserved
    for sector in [own, other, TABLE + 1, last - TABLE - 1] {
        header.extend(sector.to_le_bytes());
    }
    header.extend(disk);
    header.extend(table.to_le_bytes());
    for number in [128, 128, crc32(entries)] {
        header.extend(u32::to_le_bytes(number));
    }
    let sum = crc32(&header);
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    header.resize(SECTOR as usize, 0);
    header
}

/// CRC-32 as UEFI wants it (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

/// Numbers that look random and are the same in every run (xorshift64*).
pub(super) struct Noise(u64);

impl Noise {
    /// `seed` must not be 0.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next `count` bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    /// A random GUID (RFC 9562, version 4), as it lies on the disk.
    fn guid(&mut self) -> [u8; 16] {
        let mut guid = [0; 16];
        guid.copy_from_slice(&self.bytes(16));
        guid[7] = guid[7] & 0x0f | 0x40;
        guid[8] = guid[8] & 0x3f | 0x80;
        guid
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_everybody_uses() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn both_headers_vouch_for_themselves_and_for_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        write(&path).unwrap();
        let image = std::fs::read(&path).unwrap();
        assert_eq!(image.len() as u64, LENGTH);
        assert_eq!(image[510..512], [0x55, 0xaa]);
        let number = |at: usize, width: usize| {
            image[at..at + width].iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
        };
        for at in [512, LENGTH as usize - 512] {
            let mut header = image[at..at + 92].to_vec();
            assert_eq!(&header[..8], b"EFI PART");
            assert_eq!(number(at + 24, 8) * SECTOR, at as u64);
            header[16..20].fill(0);
            assert_eq!(number(at + 16, 4), u64::from(crc32(&header)));
            let table = (number(at + 72, 8) * SECTOR) as usize;
            assert_eq!(number(at + 88, 4), u64::from(crc32(&image[table..table + 128 * 128])));
        }
    }
}
