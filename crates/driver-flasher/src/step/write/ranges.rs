//! Ranges of an image as instructions, without decoding it: out of its decoded copy, each held to its digest.

use disk_image::{Extent, Image, Range, RangeCopy};

use super::stream::{InstructionSender, hand_over};
use super::unfinished::Outcome;
use crate::access::Instruction;

/// What the copy does not have.
#[derive(Default)]
pub(super) struct Left {
    pub(super) ranges: Vec<Range>,
    /// Whether the copy in the cache was seen to be damaged.
    pub(super) is_damaged: bool,
}

/// Hands over those of `ranges` that the decoded copy of `image` has; gives the others.
pub(super) async fn produce(image: Image, ranges: Vec<Range>, sender: InstructionSender) -> Outcome<Left> {
    let mut left = Left::default();
    for range in ranges {
        let end = range.offset + range.length;
        match image.range(&range).await {
            RangeCopy::Extents(extents) => {
                hand_over(extents.into_iter().map(instruction).collect(), &sender).await?;
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

/// Zeros are written, as what differs may differ because the device broke its promise.
fn instruction(extent: Extent) -> Instruction {
    match extent {
        Extent::Zero { offset, length } => Instruction::Fill { offset, length },
        extent => Instruction::Write(extent),
    }
}
