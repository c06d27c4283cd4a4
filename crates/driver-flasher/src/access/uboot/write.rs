//! Writing: chunks are loaded into memory, checked, and written from there; zeros are written from memory that was filled once.

use std::sync::Arc;

use flasher_core::Result;
use flasher_core::flash::ZerosBy;
use tokio::sync::mpsc;

use super::enter::{BootLoader, Window};
use super::gather::{Gatherer, WriteAction};
use super::load::StagedChunk;
use crate::access::{Instruction, Instructions, Target, Unheard, WriteEvidence, WriteProgress};
use crate::blocking::AbortOnDrop;
use crate::job::WritePermit;

/// Pieces of work that wait for the board, at most.
const WAITING: usize = 1;

/// Carries instructions out as they come.
pub(super) async fn all(
    loader: &mut BootLoader<'_>,
    target: &Target,
    instructions: Instructions,
    progress: Arc<dyn WriteProgress>,
    _permit: WritePermit,
) -> Result<WriteEvidence> {
    let window = loader.window(&target.device)?;
    let (sender, mut work) = mpsc::channel(WAITING);
    let gatherer = Gatherer::new(loader.session.run.staging(), loader.files, loader.areas.length, sender);
    let mut gathering = AbortOnDrop(tokio::spawn(gatherer.all(instructions)));
    let mut evidence = WriteEvidence::default();
    let mut begun = false;
    while let Some(next) = work.recv().await {
        let next = next?;
        if !begun && !matches!(next, WriteAction::Reached(_)) {
            begun = true;
            progress.begins();
        }
        match next {
            WriteAction::Chunk(offset, chunk) => put(loader, &window, offset, chunk).await?,
            WriteAction::Zeros { offset, length } => {
                zeros(loader, &window, offset, length).await?;
                evidence.zeros_by = Some(ZerosBy::Written);
            }
            WriteAction::Reached(to) => progress.reached(to),
        }
    }
    loader.files = gathering.joined().await?;
    Ok(evidence)
}

/// Carries a few instructions out.
pub(super) async fn few(
    loader: &mut BootLoader<'_>,
    target: &Target,
    instructions: Vec<Instruction>,
    permit: WritePermit,
) -> Result<WriteEvidence> {
    let (sender, waiting) = mpsc::channel(instructions.len() + 1);
    for instruction in instructions.into_iter().chain([Instruction::End]) {
        // There is room for all of them.
        sender.send(Ok(instruction)).await.ok();
    }
    drop(sender);
    all(loader, target, waiting, Arc::new(Unheard), permit).await
}

/// Loads a chunk and writes it from byte `offset` on.
async fn put(loader: &mut BootLoader<'_>, window: &Window, offset: u64, chunk: StagedChunk) -> Result<()> {
    let span = window.span(offset, chunk.length)?;
    let address = loader.areas.load;
    loader.zeros = 0;
    loader.read_edges(window, span, address).await?;
    loader.load(address + span.head, chunk).await?;
    loader.write_blocks(window, span, address).await
}

/// Writes zeros from byte `offset` on.
async fn zeros(loader: &mut BootLoader<'_>, window: &Window, offset: u64, length: u64) -> Result<()> {
    let (mut at, end) = (offset, offset + length);
    while at < end {
        let part = (end - at).min(loader.areas.length);
        zero_part(loader, window, at, part).await?;
        at += part;
    }
    Ok(())
}

async fn zero_part(loader: &mut BootLoader<'_>, window: &Window, offset: u64, length: u64) -> Result<()> {
    let span = window.span(offset, length)?;
    let address = loader.areas.load;
    if span.is_whole() {
        loader.zero_memory(length).await?;
    } else {
        loader.zeros = 0;
        loader.read_edges(window, span, address).await?;
        loader.zero_bytes(address + span.head, length).await?;
    }
    loader.write_blocks(window, span, address).await
}
