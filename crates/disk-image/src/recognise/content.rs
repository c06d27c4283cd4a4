//! What can be on a medium: partition tables, file systems and volumes, and what SoCs boot.

use super::signatures::KNOWN;
use super::table;
use crate::ImageContent;

/// What `head`, the first [`LOOK`](crate::LOOK) bytes of an image or a medium, is. Fewer bytes may tell less.
pub fn of(head: &[u8]) -> ImageContent {
    if let Some(name) = boot_sector(head) {
        return ImageContent::Known(name);
    }
    if let Some(table) = table::of(head) {
        return ImageContent::Table(table);
    }
    let known = KNOWN.iter().find(|known| known.is_in(head)).map(|known| known.name);
    match known.or_else(|| by_fields(head)) {
        Some(name) => ImageContent::Known(name),
        None if !head.is_empty() && head.iter().all(|byte| *byte == 0) => ImageContent::Zeros,
        None => ImageContent::Unknown,
    }
}

/// The boot sector of a file system, which has code where an MBR has its partitions.
fn boot_sector(head: &[u8]) -> Option<&'static str> {
    let jumps = matches!(head.first_chunk()?, [0xeb, _, 0x90] | [0xe9, _, _]);
    if !jumps || head.get(510..512)? != [0x55, 0xaa] {
        return None;
    }
    match head.get(3..11)? {
        b"NTFS    " => return Some("an NTFS file system"),
        b"EXFAT   " => return Some("an exFAT file system"),
        _ => {}
    }
    let sector = u16::from_le_bytes([head[11], head[12]]);
    let is_fat = matches!(sector, 512 | 1024 | 2048 | 4096) && head[13].is_power_of_two() && head[16] > 0;
    is_fat.then_some("a FAT file system")
}

/// Where a mark of two bytes would be too little by itself.
fn by_fields(head: &[u8]) -> Option<&'static str> {
    let half = |at: usize| head.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let word = |at: usize| head.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    // struct ext4_super_block at 1024: s_log_block_size, s_magic, s_state
    if half(1080) == Some(0xef53) && word(1048)? <= 6 && half(1082)? < 8 {
        return Some("an ext file system");
    }
    // struct image container of i.MX 8 and 9 at 0 and 32 KiB: version 0, length, tag 0x87
    if [0, 0x8000].iter().any(|at| matches!(head.get(*at..at + 4), Some([0 | 2, _, 1..=0x40, 0x87]))) {
        return Some("an i.MX boot container");
    }
    // i.MX IVT at 0, 1 KiB, 32 KiB and 33 KiB: tag, length 32, version
    let ivt = |at: &usize| matches!(head.get(*at..at + 4), Some([0xd1, 0, 0x20, 0x40..=0x43]));
    if [0, 0x400, 0x8000, 0x8400].iter().any(ivt) {
        return Some("an i.MX boot image");
    }
    // TI K3: a certificate in DER, a sequence within a sequence, both with lengths of two bytes
    if matches!(head.first_chunk()?, [0x30, 0x82, _, _, 0x30, 0x82]) {
        return Some("a TI K3 boot image");
    }
    // TI OMAP and AM335x: length and load address in the internal memory, also at 128 KiB
    let gp = |at: usize| Some((0x402f_0000..0x4040_0000).contains(&word(at + 4)?) && word(at)? < 0x10_0000);
    if gp(0) == Some(true) || gp(0x2_0000) == Some(true) {
        return Some("a TI boot image");
    }
    // JFFS2: mark and node type, in both byte orders
    let jffs2 = [[0x85, 0x19], [0x19, 0x85]].iter().any(|mark| head.starts_with(mark));
    (jffs2 && matches!(half(2)?, 0xe001 | 0xe002 | 0x2003 | 0x01e0 | 0x02e0 | 0x0320))
        .then_some("a JFFS2 file system")
}
