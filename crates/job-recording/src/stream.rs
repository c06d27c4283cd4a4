//! The bytes of one direction over all entries, as if they had come in one piece.

use std::ops::Range;

use crate::entry::{Moment, RecordedMoment};

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteDirection {
    Heard,
    Sent,
}

pub(crate) const BOTH: [ByteDirection; 2] = [ByteDirection::Heard, ByteDirection::Sent];

/// The pieces of one direction, in their order.
pub(crate) fn pieces<'e>(
    entries: &'e mut [RecordedMoment],
    direction: ByteDirection,
) -> Vec<&'e mut Vec<u8>> {
    let of = |entry: &'e mut RecordedMoment| match &mut entry.what {
        Moment::Heard(bytes) if direction == ByteDirection::Heard => Some(bytes),
        Moment::Sent(bytes) if direction == ByteDirection::Sent => Some(bytes),
        _ => None,
    };
    entries.iter_mut().filter_map(of).collect()
}

/// Where `word` stands in `bytes`.
pub(crate) fn places(bytes: &[u8], word: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) =
        bytes.get(from..).and_then(|rest| rest.windows(word.len().max(1)).position(|part| part == word))
    {
        let begin = from + at;
        from = begin + word.len().max(1);
        found.push(begin..begin + word.len());
    }
    found
}
