//! The image as instructions for the medium: decoded here, its first block withheld.

use bytes::{Bytes, BytesMut};
use disk_image::{BLOCK, Decoding, Extent, Range, Summary};
use flasher_core::{Class, Error, Result};
use tokio::sync::mpsc;

use super::spoil::zeros_first;
use super::unfinished::{Outcome, Unfinished};
use crate::access::{Instruction, Target, must_fit};
use crate::trouble;

/// Where instructions are handed to.
pub(super) type InstructionSender = mpsc::Sender<Result<Instruction, String>>;

/// What goes into a stream.
pub(super) struct StreamPlan {
    /// The first extent, when it was taken already.
    pub(super) head: Option<Extent>,
    pub(super) decoding: Decoding,
    pub(super) device: String,
    pub(super) size: u64,
    /// The old first block is made zeros before anything is written.
    pub(super) wipe: bool,
    /// Only these ranges; none means everything but the first block.
    pub(super) only: Option<Vec<Range>>,
    /// Zeros are written, whatever the device promises.
    pub(super) fill: bool,
}

/// What went into a stream.
pub(super) struct Made {
    pub(super) summary: Summary,
    /// The withheld beginning of the image.
    pub(super) first: Bytes,
    /// Bytes of data.
    pub(super) data: u64,
    /// Bytes of zeros.
    pub(super) zeros: u64,
}

impl StreamPlan {
    /// Everything but the first block, which stays.
    pub(super) fn of(decoding: Decoding, target: &Target) -> Self {
        let (device, size) = (target.device.clone(), target.size);
        Self { head: None, decoding, device, size, wipe: false, only: None, fill: false }
    }

    /// How much of the first block is erased before anything is written, bytes.
    pub(super) fn erased(&self) -> u64 {
        let head = self.head.as_ref().filter(|head| self.wipe && !matches!(head, Extent::Unmapped { .. }));
        head.map_or(0, |head| head.length().min(BLOCK))
    }

    async fn next(&mut self) -> Result<Option<Extent>> {
        match self.head.take() {
            None => self.decoding.next().await.map_err(trouble::image),
            head => Ok(head),
        }
    }

    /// What is to be done for an extent of which the first block is withheld.
    fn instructions(&self, extent: Extent) -> Vec<Instruction> {
        let wanted = match &self.only {
            None => vec![extent],
            Some(only) => only.iter().filter_map(|range| clip(&extent, range)).collect(),
        };
        wanted.into_iter().map(|extent| self.instruction(extent)).collect()
    }

    fn instruction(&self, extent: Extent) -> Instruction {
        match extent {
            Extent::Zero { offset, length } if self.fill => Instruction::Fill { offset, length },
            extent => Instruction::Write(extent),
        }
    }
}

/// Decodes into instructions. A failure is reported to both sides: the writing ends, and the step learns why.
pub(super) async fn produce(mut plan: StreamPlan, sender: InstructionSender) -> Outcome<Made> {
    let outcome = instruct(&mut plan, &sender).await;
    // Without a listener there is nothing to report.
    if let Err(Unfinished::Image(error)) = &outcome {
        sender.send(Err(error.to_string())).await.ok();
    }
    outcome
}

async fn instruct(plan: &mut StreamPlan, sender: &InstructionSender) -> Outcome<Made> {
    let (mut first, mut data, mut zeros) = (BytesMut::new(), 0, 0);
    while let Some(extent) = plan.next().await? {
        let end = extent.offset() + extent.length();
        must_fit(end, plan.size, &plan.device)?;
        let is_unmapped = matches!(extent, Extent::Unmapped { .. });
        if plan.wipe && extent.offset() == 0 && !is_unmapped {
            hand_over(zeros_first(extent.length().min(BLOCK)), sender).await?;
        }
        let instructions = withhold(extent, &mut first).map(|rest| plan.instructions(rest));
        let instructions = instructions.unwrap_or_default();
        for instruction in &instructions {
            match instruction {
                Instruction::Write(Extent::Data { bytes, .. }) => data += bytes.len() as u64,
                Instruction::Write(Extent::Zero { length, .. }) | Instruction::Fill { length, .. } => {
                    zeros += length;
                }
                _ => {}
            }
        }
        hand_over(instructions, sender).await?;
        hand_over(vec![Instruction::Decoded(end)], sender).await?;
    }
    let summary = plan.decoding.summary().cloned();
    let summary = summary.ok_or_else(|| Error::new(Class::Internal, "the image ended without a summary"))?;
    hand_over(vec![Instruction::End], sender).await?;
    Ok(Made { summary, first: first.freeze(), data, zeros })
}

/// Hands instructions over, one after the other.
pub(super) async fn hand_over(instructions: Vec<Instruction>, sender: &InstructionSender) -> Outcome<()> {
    for instruction in instructions {
        sender.send(Ok(instruction)).await.map_err(|_| Unfinished::NotTaken)?;
    }
    Ok(())
}

/// Keeps what belongs to the first block back; gives the rest.
pub(super) fn withhold(extent: Extent, first: &mut BytesMut) -> Option<Extent> {
    let keep = BLOCK.saturating_sub(extent.offset()).min(extent.length());
    if keep == 0 {
        return Some(extent);
    }
    match extent {
        Extent::Data { offset, mut bytes } => {
            first.extend_from_slice(&bytes.split_to(keep as usize));
            (!bytes.is_empty()).then_some(Extent::Data { offset: offset + keep, bytes })
        }
        Extent::Zero { offset, length } => {
            first.resize(first.len() + keep as usize, 0);
            (length > keep).then_some(Extent::Zero { offset: offset + keep, length: length - keep })
        }
        Extent::Unmapped { .. } => Some(extent),
    }
}

fn clip(extent: &Extent, range: &Range) -> Option<Extent> {
    let start = extent.offset().max(range.offset);
    let end = (extent.offset() + extent.length()).min(range.offset + range.length);
    if start >= end {
        return None;
    }
    let (from, to) = (start - extent.offset(), end - extent.offset());
    Some(match extent {
        Extent::Data { bytes, .. } => {
            Extent::Data { offset: start, bytes: bytes.slice(from as usize..to as usize) }
        }
        Extent::Zero { .. } => Extent::Zero { offset: start, length: end - start },
        Extent::Unmapped { .. } => Extent::Unmapped { offset: start, length: end - start },
    })
}

#[cfg(test)]
mod tests;
