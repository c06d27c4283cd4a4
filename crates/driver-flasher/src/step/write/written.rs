//! What was written, in the words of the transaction and of the receipt.

use bytes::Bytes;
use disk_image::{BLOCK, Range, RangeKind, Summary};
use flasher_core::flash::{self, RangeFacts};

use crate::access::Target;
use crate::opened::OpenedImage;

/// What is on the medium, but for the first block.
pub(crate) struct Written {
    pub(crate) summary: Summary,
    /// The withheld beginning of the image.
    pub(crate) first: Bytes,
    /// The first block as it was, when the image does not care about it: it is left alone.
    pub(crate) kept: Option<Range>,
    /// Whether the first block is zeros while the rest is not proven; not where the boot loader lives in it.
    pub(crate) spoils: bool,
    /// Whether the medium held all of it, so that nothing was written.
    pub(crate) is_unchanged: bool,
}

/// An image that was put on the medium, whole.
pub(crate) struct Put<'p> {
    pub(crate) opened: &'p OpenedImage,
    pub(crate) target: &'p Target,
    pub(crate) written: Written,
}

impl Put<'_> {
    /// Every range of the image.
    pub(crate) fn ranges(&self) -> &[Range] {
        &self.written.summary.ranges
    }
}

/// What the image has in a range, in the words of the receipt.
pub(crate) fn kind(range: &Range) -> flash::RangeKind {
    match range.kind {
        RangeKind::Data => flash::RangeKind::Data,
        RangeKind::Zero => flash::RangeKind::Zero,
        RangeKind::Unmapped => flash::RangeKind::Unmapped,
    }
}

/// What the receipt says of a range that was just written.
pub(super) fn facts(range: &Range) -> RangeFacts {
    let (offset, length, sha256) = (range.offset, range.length, range.sha256.to_string());
    let kind = kind(range);
    let writes = u32::from(offset >= BLOCK && range.kind != RangeKind::Unmapped);
    RangeFacts { offset, length, kind, sha256, read_back: None, writes, held: false }
}
