//! The fields of a zip archive's headers.

/// Extra field with the sizes that need more than 32 bits.
const ZIP64: u16 = 1;

/// A number of 16 bits at `at`, the lowest byte first; 0 beyond the end.
pub(super) fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

/// 32 bits.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

/// 64 bits.
pub(super) fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32
}

/// What a compression method is called (APPNOTE 4.4.5).
pub(super) fn method_name(method: u16) -> &'static str {
    match method {
        1 => " (shrink)",
        6 => " (implode)",
        9 => " (deflate64)",
        12 => " (bzip2)",
        14 => " (LZMA)",
        20 | 93 => " (zstd)",
        95 => " (xz)",
        98 => " (PPMd)",
        99 => " (encrypted with AES)",
        _ => "",
    }
}

/// Stored size, size, and whether they have 64 bits.
pub(super) fn sizes(head: &[u8], extra: &[u8]) -> (u64, u64, bool) {
    let (mut stored, mut size) = (u64::from(word(head, 14)), u64::from(word(head, 18)));
    let mut rest = extra;
    while rest.len() >= 4 {
        let (kind, length) = (half(rest, 0), usize::from(half(rest, 2)));
        let field = rest.get(4..4 + length).unwrap_or_default();
        if kind == ZIP64 {
            let mut at = 0;
            for value in [&mut size, &mut stored] {
                if *value == u64::from(u32::MAX) {
                    *value = long(field, at);
                    at += 8;
                }
            }
            return (stored, size, true);
        }
        rest = rest.get(4 + length..).unwrap_or_default();
    }
    (stored, size, false)
}
