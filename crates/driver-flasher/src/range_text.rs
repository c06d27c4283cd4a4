//! Ranges in words for people: their first and last bytes.

use disk_image::Range;

/// First and last byte of a range.
pub(crate) fn bytes_of(range: &Range) -> String {
    format!("{}-{}", range.offset, range.offset + range.length - 1)
}

/// First and last byte of each of these ranges; the first eight of them.
pub(crate) fn bytes_of_all(ranges: &[Range], indices: &[usize]) -> String {
    let all: Vec<String> = indices.iter().take(8).map(|index| bytes_of(&ranges[*index])).collect();
    match indices.len() - all.len() {
        0 => all.join(", "),
        more => format!("{} and {more} more", all.join(", ")),
    }
}
