//! The format of stored bytes, by their magic.

use crate::decode::archive::is_tar;
use crate::{Error, Format};

/// Bytes that [`recognise`] wants to see, if the source has as many.
pub(crate) const HEAD: usize = 512;

/// Longest magic, in bytes.
pub(crate) const MAGIC: usize = 6;

/// What begins a member of each format; `None` is any byte.
const MAGICS: [(Format, &[Option<u8>]); 8] = [
    (Format::Gzip, &[Some(0x1f), Some(0x8b), Some(8)]),
    (Format::Xz, &[Some(0xfd), Some(b'7'), Some(b'z'), Some(b'X'), Some(b'Z'), Some(0)]),
    (Format::Zstd, &[Some(0x28), Some(0xb5), Some(0x2f), Some(0xfd)]),
    (Format::Zstd, &[None, Some(0x2a), Some(0x4d), Some(0x18)]), // skippable frame, see `fits`
    (Format::Bzip2, &[Some(b'B'), Some(b'Z'), Some(b'h'), None]), // level, see `fits`
    (Format::Lz4, &[Some(4), Some(0x22), Some(0x4d), Some(0x18)]),
    (Format::Zip, &[Some(b'P'), Some(b'K'), Some(3), Some(4)]),
    (Format::Simg, &[Some(0x3a), Some(0xff), Some(0x26), Some(0xed)]),
];

/// The format by the first bytes alone.
const WRAPPED: [Format; 7] =
    [Format::Gzip, Format::Xz, Format::Zstd, Format::Bzip2, Format::Lz4, Format::Zip, Format::Simg];

/// How far the beginning of some bytes is the magic of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MagicMatch {
    /// It is the whole magic.
    Whole,
    /// It is the magic as far as it goes, but too short.
    Part,
    /// It is something else.
    None,
}

/// Whether `bytes` begin a member of `format`.
pub(crate) fn fits(format: Format, bytes: &[u8]) -> MagicMatch {
    let fit = |(_, magic): &(Format, &[Option<u8>])| {
        let same = magic.iter().zip(bytes).all(|(want, have)| want.is_none_or(|want| want == *have));
        match (same && free_byte_fits(format, magic, bytes), bytes.len() >= magic.len()) {
            (true, true) => MagicMatch::Whole,
            (true, false) => MagicMatch::Part,
            (false, _) => MagicMatch::None,
        }
    };
    let fits: Vec<MagicMatch> = MAGICS.iter().filter(|(of, _)| *of == format).map(fit).collect();
    [MagicMatch::Whole, MagicMatch::Part]
        .into_iter()
        .find(|fit| fits.contains(fit))
        .unwrap_or(MagicMatch::None)
}

/// The byte left open by a magic: zstd's skippable magics are 16, bzip2's levels nine.
fn free_byte_fits(format: Format, magic: &[Option<u8>], bytes: &[u8]) -> bool {
    let free = magic.iter().position(Option::is_none).and_then(|at| bytes.get(at));
    free.is_none_or(|byte| match format {
        Format::Zstd => (0x50..=0x5f).contains(byte),
        _ => (b'1'..=b'9').contains(byte),
    })
}

/// The format of a source by its first bytes: [`HEAD`] of them, or all there are.
pub(crate) fn recognise(label: &str, head: &[u8]) -> Result<Format, Error> {
    if is_tar(head) {
        return Ok(Format::Tar);
    }
    for format in WRAPPED {
        match fits(format, head) {
            MagicMatch::Whole if format != Format::Bzip2 || bzip2_block(head) => return Ok(format),
            MagicMatch::Part if head.len() > 1 => {
                return Err(Error::Truncated { label: label.into(), format, offset: head.len() as u64 });
            }
            _ => {}
        }
    }
    Ok(Format::Raw)
}

/// A bzip2 header is plain letters; the mark of the first block, or of the end of an empty stream, makes it sure.
fn bzip2_block(head: &[u8]) -> bool {
    let marks: [&[u8]; 2] = [b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"];
    let block = head.get(4..).unwrap_or_default();
    marks.iter().any(|mark| mark.iter().zip(block).all(|(want, have)| want == have))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_told_by_its_magic_bytes() {
        for (head, format) in [
            (&b"\x1f\x8b\x08\0"[..], Ok("gz")),
            (b"\x1f\x8b\x07\0", Ok("raw")), // not deflate
            (b"\xfd7zXZ\0\0\x04", Ok("xz")),
            (b"\x28\xb5\x2f\xfd", Ok("zst")),
            (b"\x50\x2a\x4d\x18\0\0\0\0", Ok("zst")),
            (b"\x4f\x2a\x4d\x18\0\0\0\0", Ok("raw")),
            (b"BZh9\x31\x41\x59\x26\x53\x59", Ok("bz2")),
            (b"BZh1\x17\x72\x45\x38\x50\x90", Ok("bz2")),
            (b"\x04\x22\x4d\x18\x64", Ok("lz4")),
            (b"PK\x03\x04\x14\0", Ok("zip")),
            (b"\x3a\xff\x26\xed\x01\0", Ok("simg")),
            (b"BZh9 is a text", Ok("raw")),
            (b"BZh0\x31\x41\x59\x26\x53\x59", Ok("raw")),
            (b"\xeb\x3c\x90MSDOS5.0", Ok("raw")),
            (b"\0", Ok("raw")),
            (b"\xfd", Ok("raw")), // one byte tells nothing
            (b"\xfd7zX", Err("image `x` is truncated: it ends at byte 4, inside its xz data")),
            (b"BZh", Err("image `x` is truncated: it ends at byte 3, inside its bz2 data")),
        ] {
            let found = recognise("x", head).map(|format| format.to_string()).map_err(|e| e.to_string());
            assert_eq!(found, format.map(String::from).map_err(String::from), "{head:02x?}");
        }
    }
}
