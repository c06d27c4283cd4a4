//! Ranges of an image as instructions, without decoding it: out of its decoded copy, each held to its digest.

use disk_image::{BLOCK, Extent, Image, Range, RangeCopy, RangeKind};

use super::stream::{InstructionSender, hand_over};
use super::unfinished::Outcome;
use crate::access::Instruction;

/// What the copy does not have.
#[derive(Default)]
pub(super) struct Left {
    pub(super) ranges: Vec<Range>,
    /// Whether the copy in the cache was seen to be damaged.
    pub(super) is_damaged: bool,
    /// Bytes of data that were handed over.
    pub(super) data: u64,
    /// Bytes of zeros that were handed over.
    pub(super) zeros: u64,
}

/// How zeros are made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Zeros {
    /// In the cheapest way that reads back as zeros.
    Cheapest,
    /// They are written: what differs may differ because the device broke its promise.
    Written,
}

/// Hands over what is to be done first, and those of `ranges` that the decoded copy of `image` has; gives the others.
pub(super) async fn produce(
    image: Image,
    (first, ranges): (Vec<Instruction>, Vec<Range>),
    zeros: Zeros,
    sender: InstructionSender,
) -> Outcome<Left> {
    let mut left = Left::default();
    hand_over(first, &sender).await?;
    for range in ranges {
        let end = range.offset + range.length;
        match read(&image, &range).await {
            RangeCopy::Extents(extents) => {
                extents.iter().for_each(|extent| left.count(extent));
                let instructions = extents.into_iter().map(|extent| instruction(extent, zeros)).collect();
                hand_over(instructions, &sender).await?;
                hand_over(vec![Instruction::Decoded(end)], &sender).await?;
            }
            RangeCopy::Absent => left.ranges.push(range),
            RangeCopy::Damaged => {
                left.is_damaged = true;
                left.ranges.push(range);
            }
        }
    }
    hand_over(vec![Instruction::End], &sender).await?;
    Ok(left)
}

/// What a range holds; zeros are known without being read.
async fn read(image: &Image, range: &Range) -> RangeCopy {
    let Range { offset, length, kind, .. } = *range;
    match kind == RangeKind::Zero && length.is_multiple_of(BLOCK) {
        true => RangeCopy::Extents(vec![Extent::Zero { offset, length }]),
        false => image.range(range).await,
    }
}

impl Left {
    fn count(&mut self, extent: &Extent) {
        match extent {
            Extent::Data { bytes, .. } => self.data += bytes.len() as u64,
            Extent::Zero { length, .. } => self.zeros += length,
            Extent::Unmapped { .. } => {}
        }
    }
}

fn instruction(extent: Extent, zeros: Zeros) -> Instruction {
    match extent {
        Extent::Zero { offset, length } if zeros == Zeros::Written => Instruction::Fill { offset, length },
        extent => Instruction::Write(extent),
    }
}
