//! Instructions as work for a boot loader: data in chunks that fit its memory, zeros, and how far the image is.
//!
//! Runs ahead of the board by one chunk, so that the next one is decoded and staged while the board writes.

use bytes::{Bytes, BytesMut};
use disk_image::Extent;
use flasher_core::{Class, Error, Result};
use tokio::sync::mpsc;

use super::load::{StagedChunk, stage};
use crate::access::{Instruction, Instructions};
use crate::staging::Staging;

/// Most that is loaded and written at once, bytes.
const CHUNK: u64 = 8 << 20;
/// Zeros within data up to so many bytes are sent as data: each chunk costs some commands.
const SMALL: u64 = 256 * 1024;

/// One thing for the boot loader to do.
#[derive(Debug)]
pub(super) enum WriteAction {
    /// Write a chunk from this byte on.
    Chunk(u64, StagedChunk),
    /// Write zeros.
    Zeros {
        /// First byte.
        offset: u64,
        /// Bytes.
        length: u64,
    },
    /// The medium holds the image up to this byte.
    Reached(u64),
}

/// Where the work goes.
pub(super) type ActionSender = mpsc::Sender<Result<WriteAction>>;

/// Instructions on their way to become work.
pub(super) struct Gatherer {
    staging: Staging,
    /// Number of the next file.
    next: u64,
    /// Bytes of a chunk at most.
    longest: u64,
    start: u64,
    bytes: BytesMut,
    decoded: u64,
    work: ActionSender,
}

/// The one who takes the work is gone.
struct NotTaken;

impl Gatherer {
    /// Chunks of at most `longest` bytes, in files numbered from `next` on.
    pub(super) fn new(staging: Staging, next: u64, longest: u64, work: ActionSender) -> Self {
        let longest = longest.min(CHUNK);
        Self { staging, next, longest, start: 0, bytes: BytesMut::new(), decoded: 0, work }
    }

    /// Takes all instructions; gives the number of the next file. A failure goes to the one who takes the work.
    pub(super) async fn all(mut self, mut instructions: Instructions) -> u64 {
        while let Some(instruction) = instructions.recv().await {
            let done = match instruction {
                Ok(Instruction::End) => {
                    // Without a taker there is nothing to report.
                    self.flush().await.ok();
                    return self.next;
                }
                Ok(instruction) => self.take(instruction).await,
                Err(reason) => {
                    self.fail(Error::new(Class::Source, reason)).await;
                    return self.next;
                }
            };
            if done.is_err() {
                return self.next;
            }
        }
        self.fail(Error::new(Class::Internal, "the instructions ended before the image did")).await;
        self.next
    }

    async fn take(&mut self, instruction: Instruction) -> Result<(), NotTaken> {
        match instruction {
            Instruction::Write(Extent::Data { offset, bytes }) => self.data(offset, bytes).await,
            Instruction::Write(Extent::Zero { offset, length }) if self.may_join(offset, length) => {
                self.bytes.resize(self.bytes.len() + length as usize, 0);
                Ok(())
            }
            Instruction::Write(Extent::Zero { offset, length }) | Instruction::Fill { offset, length } => {
                self.flush().await?;
                self.send(WriteAction::Zeros { offset, length }).await
            }
            Instruction::Write(Extent::Unmapped { .. }) | Instruction::Flush | Instruction::End => {
                self.flush().await
            }
            Instruction::Decoded(to) => {
                self.decoded = to;
                if self.bytes.is_empty() { self.send(WriteAction::Reached(to)).await } else { Ok(()) }
            }
        }
    }

    /// Whether zeros are sent as a part of the chunk that is gathered.
    fn may_join(&self, offset: u64, length: u64) -> bool {
        let end = self.start + self.bytes.len() as u64;
        let room = self.longest.saturating_sub(self.bytes.len() as u64);
        !self.bytes.is_empty() && end == offset && length <= SMALL.min(room)
    }

    async fn data(&mut self, mut offset: u64, mut bytes: Bytes) -> Result<(), NotTaken> {
        if self.start + self.bytes.len() as u64 != offset {
            self.flush().await?;
        }
        while !bytes.is_empty() {
            if self.bytes.is_empty() {
                self.start = offset;
            }
            let room = self.longest - self.bytes.len() as u64;
            let part = bytes.split_to(bytes.len().min(room as usize));
            self.bytes.extend_from_slice(&part);
            offset += part.len() as u64;
            if self.bytes.len() as u64 == self.longest {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Hands the gathered bytes over as one chunk.
    async fn flush(&mut self) -> Result<(), NotTaken> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let bytes = self.bytes.split().freeze();
        let end = self.start + bytes.len() as u64;
        let staged = stage(&self.staging, self.next, bytes).await;
        self.next += 1;
        match staged {
            Ok(chunk) => self.send(WriteAction::Chunk(self.start, chunk)).await?,
            Err(error) => {
                self.fail(error).await;
                return Err(NotTaken);
            }
        }
        self.send(WriteAction::Reached(end.min(self.decoded.max(self.start)))).await
    }

    async fn send(&self, work: WriteAction) -> Result<(), NotTaken> {
        self.work.send(Ok(work)).await.map_err(|_| NotTaken)
    }

    async fn fail(&self, error: Error) {
        // Without a taker there is nothing to report.
        self.work.send(Err(error)).await.ok();
    }
}
