//! What a file tells about its decoded length before it is decoded. Nothing is believed that is not proven by the file's own frame.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::Format;
use crate::decode::simg;

/// Largest xz index that is read, in bytes; it describes some hundred thousand blocks.
const XZ_INDEX: u64 = 4 << 20;
/// Most xz streams that are looked at.
const XZ_STREAMS: usize = 1024;
/// Most zstd blocks that are walked, each up to 128 KiB decoded.
const ZSTD_BLOCKS: usize = 64 * 1024;

/// The decoded length of `file`, which has `length` bytes, if its headers give it.
pub(crate) fn decoded(format: Format, file: &File, length: u64) -> Option<u64> {
    match format {
        Format::Raw => Some(length),
        Format::Xz => xz(file, length),
        Format::Zstd => zstd(file, length),
        Format::Simg => simg::image_length(format, &read::<{ simg::HEADER }>(file, 0)?),
        // gzip tells it modulo 2^32 and per member, bzip2 and lz4 mostly not at all, an archive that of a file which may be wrapped.
        Format::Gzip | Format::Bzip2 | Format::Lz4 | Format::Zip | Format::Tar => None,
    }
}

fn read<const N: usize>(file: &File, offset: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

/// Sums the indexes of all streams, from the last to the first (The .xz File Format 1.2.1, sections 2.1.2 and 4).
fn xz(file: &File, length: u64) -> Option<u64> {
    let mut end = length;
    let mut total = 0u64;
    for _ in 0..XZ_STREAMS {
        if end == 0 {
            return Some(total);
        }
        if read::<4>(file, end.checked_sub(4)?)? == [0; 4] {
            end -= 4; // stream padding
            continue;
        }
        let (stored, decoded) = xz_stream(file, end)?;
        end = end.checked_sub(stored)?;
        total = total.checked_add(decoded)?;
    }
    None
}

/// Stored and decoded length of the stream that ends at `end`.
fn xz_stream(file: &File, end: u64) -> Option<(u64, u64)> {
    let footer: [u8; 12] = read(file, end.checked_sub(12)?)?;
    if footer[10..] != *b"YZ" {
        return None;
    }
    let size = (u64::from(u32::from_le_bytes(footer[4..8].try_into().ok()?)) + 1) * 4;
    if size > XZ_INDEX {
        return None;
    }
    let mut index = vec![0; size as usize];
    file.read_exact_at(&mut index, (end - 12).checked_sub(size)?).ok()?;
    let (blocks, decoded) = xz_index(&index)?;
    Some((blocks.checked_add(12 + size + 12)?, decoded))
}

/// Stored and decoded length of all blocks in an index.
fn xz_index(index: &[u8]) -> Option<(u64, u64)> {
    let mut rest = index.strip_prefix(&[0])?;
    let count = number(&mut rest)?;
    let (mut stored, mut decoded) = (0u64, 0u64);
    for _ in 0..count {
        stored = stored.checked_add(number(&mut rest)?.checked_next_multiple_of(4)?)?;
        decoded = decoded.checked_add(number(&mut rest)?)?;
    }
    Some((stored, decoded))
}

/// A number of up to nine bytes of seven bits, the lowest first (section 1.2).
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for place in 0..9 {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(byte & 0x7f) << (place * 7);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Sums the content sizes of all frames, walking over their blocks to the end of the file (RFC 8878 section 3.1).
fn zstd(file: &File, length: u64) -> Option<u64> {
    let (mut offset, mut total, mut blocks) = (0, 0u64, 0);
    while offset < length {
        let magic = u32::from_le_bytes(read(file, offset)?);
        if magic & 0xffff_fff0 == 0x184d_2a50 {
            offset += 8 + u64::from(u32::from_le_bytes(read(file, offset + 4)?));
            continue;
        }
        let frame = zstd_frame(file, offset)?;
        total = total.checked_add(frame.content)?;
        offset = zstd_end(file, frame, &mut blocks)?;
    }
    (offset == length).then_some(total)
}

struct ZstdFrame {
    /// Where its first block begins.
    blocks: u64,
    /// Bytes it decodes to.
    content: u64,
    checksum: bool,
}

fn zstd_frame(file: &File, offset: u64) -> Option<ZstdFrame> {
    let [magic @ .., descriptor] = read::<5>(file, offset)?;
    if u32::from_le_bytes(magic) != 0xfd2f_b528 {
        return None;
    }
    let single = descriptor & 0x20 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let at = offset + 5 + u64::from(!single) + dictionary;
    let (size, content) = match descriptor >> 6 {
        0 if single => (1, u64::from(read::<1>(file, at)?[0])),
        0 => return None, // the frame does not tell
        1 => (2, u64::from(u16::from_le_bytes(read(file, at)?)) + 256),
        2 => (4, u64::from(u32::from_le_bytes(read(file, at)?))),
        _ => (8, u64::from_le_bytes(read(file, at)?)),
    };
    Some(ZstdFrame { blocks: at + size, content, checksum: descriptor & 4 != 0 })
}

/// Where a frame ends.
fn zstd_end(file: &File, frame: ZstdFrame, blocks: &mut usize) -> Option<u64> {
    let mut offset = frame.blocks;
    while *blocks < ZSTD_BLOCKS {
        *blocks += 1;
        let [a, b, c] = read::<3>(file, offset)?;
        let header = u32::from_le_bytes([a, b, c, 0]);
        let stored = match header >> 1 & 3 {
            1 => 1, // one byte, repeated
            3 => return None,
            _ => u64::from(header >> 3),
        };
        offset += 3 + stored;
        if header & 1 == 1 {
            return Some(offset + if frame.checksum { 4 } else { 0 });
        }
    }
    None
}
