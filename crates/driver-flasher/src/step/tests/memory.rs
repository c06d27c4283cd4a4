//! A medium in memory, with a place that it stores wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use board_console::{Console, Transcript};
use bytes::Bytes;
use disk_image::{Digest, Extent};
use flasher_core::flash::{CacheBypass, DigestsBy, ViaUsed, WireUsed, ZerosBy};
use flasher_core::{Error, Result, async_trait};
use tokio::sync::mpsc;

use crate::access::{
    Abilities, Broken, Identity, Incoming, Instruction, Instructions, MediumAccess, ReadEvidence, Stretch,
    TABLE_COPY, Take, Target, Unpacking, Wanted, WriteEvidence, WriteProgress,
};
use crate::job::WritePermit;

/// What was done to the medium.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Done {
    Write { offset: u64, length: u64 },
    Fill { offset: u64, length: u64 },
    Flush,
}

pub(super) struct Memory {
    pub(super) bytes: Vec<u8>,
    pub(super) done: Vec<Done>,
    /// Which byte is stored wrong, and how many times.
    pub(super) wrong: (usize, u32),
    /// A byte that changes by itself after so many readings.
    pub(super) fades: Option<(usize, u32)>,
}

impl Memory {
    pub(super) fn new(size: usize, wrong: (usize, u32)) -> Self {
        Self { bytes: vec![0xa5; size], done: Vec::new(), wrong, fades: None }
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) {
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        self.bytes[start..end].copy_from_slice(bytes);
        let (place, times) = &mut self.wrong;
        if (start..end).contains(place) && *times > 0 {
            *times -= 1;
            self.bytes[*place] ^= 1;
        }
    }

    fn carry_out(&mut self, instruction: Instruction) {
        match instruction {
            Instruction::Write(Extent::Data { offset, bytes }) => {
                self.put(offset, &bytes);
                self.done.push(Done::Write { offset, length: bytes.len() as u64 });
            }
            Instruction::Write(Extent::Zero { offset, length }) => {
                self.put(offset, &vec![0; length as usize])
            }
            Instruction::Fill { offset, length } => {
                self.put(offset, &vec![0; length as usize]);
                self.done.push(Done::Fill { offset, length });
            }
            Instruction::Flush => self.done.push(Done::Flush),
            Instruction::Write(Extent::Unmapped { .. }) | Instruction::Decoded(_) | Instruction::End => {}
        }
    }

    fn slice(&self, offset: u64, length: u64) -> &[u8] {
        &self.bytes[offset as usize..(offset + length) as usize]
    }

    fn end(&self) -> &[u8] {
        &self.bytes[self.bytes.len() - TABLE_COPY as usize..]
    }
}

fn never(what: &str) -> Error {
    Error::config(format!("a medium in memory has no {what}"))
}

#[async_trait]
impl MediumAccess for Memory {
    fn abilities(&self) -> Abilities {
        Abilities { via: ViaUsed::Linux, small_reads: true, sends: true }
    }

    async fn prepare(&mut self, _command: &str, _permit: WritePermit) -> Result<()> {
        Err(never("commands"))
    }

    async fn disk(&mut self, target: &str) -> Result<String> {
        Ok(target.to_owned())
    }

    async fn partition(&mut self, _disk: &str, _label: &str) -> Result<String> {
        Err(never("partitions"))
    }

    async fn must_be_apart(&mut self, _devices: &[&str]) -> Result<()> {
        Err(never("partitions"))
    }

    async fn identify(&mut self, _disk: &str, _device: &str) -> Result<Identity> {
        Ok(Identity { size: self.bytes.len() as u64, facts: BTreeMap::new(), direct: true })
    }

    async fn sector_size(&mut self, _device: &str) -> Result<Option<u64>> {
        Ok(None)
    }

    async fn has_table_copy(&mut self, _target: &Target) -> Result<bool> {
        Ok(self.end().windows(8).any(|bytes| bytes == b"EFI PART"))
    }

    async fn wipe_table_copy(&mut self, _target: &Target, _permit: WritePermit) -> Result<()> {
        let from = self.bytes.len() - self.end().len();
        self.bytes[from..].fill(0);
        Ok(())
    }

    async fn choose_wire(&mut self, _length: Option<u64>) -> Result<WireUsed> {
        Ok(WireUsed::Identity)
    }

    async fn write(
        &mut self,
        _target: &Target,
        mut instructions: Instructions,
        progress: Arc<dyn WriteProgress>,
        _permit: WritePermit,
    ) -> Result<WriteEvidence> {
        progress.begins();
        loop {
            match instructions.recv().await {
                Some(Ok(Instruction::End)) => return Ok(WriteEvidence { zeros_by: Some(ZerosBy::Written) }),
                Some(Ok(Instruction::Decoded(to))) => progress.reached(to),
                Some(Ok(instruction)) => self.carry_out(instruction),
                Some(Err(reason)) => return Err(Error::infrastructure(reason)),
                None => return Err(Error::infrastructure("the instructions were cut")),
            }
        }
    }

    async fn write_few(
        &mut self,
        _target: &Target,
        instructions: Vec<Instruction>,
        _permit: WritePermit,
    ) -> Result<WriteEvidence> {
        instructions.into_iter().for_each(|instruction| self.carry_out(instruction));
        Ok(WriteEvidence::default())
    }

    async fn fetch(
        &mut self,
        _target: &Target,
        _image: (&str, Unpacking),
        _progress: Arc<dyn WriteProgress>,
        _permit: WritePermit,
    ) -> Result<()> {
        Err(never("network"))
    }

    async fn digests(
        &mut self,
        _target: &Target,
        wanted: Wanted<'_>,
        evidence: &mut ReadEvidence,
    ) -> Result<BTreeMap<usize, Digest>> {
        evidence.made_by(DigestsBy::Exporter);
        evidence.cache_bypass = Some(CacheBypass::Direct);
        wanted.settle();
        let ranges = wanted.indices.iter().map(|index| (*index, &wanted.ranges[*index]));
        let read = ranges.map(|(index, it)| (index, Digest::of(self.slice(it.offset, it.length)))).collect();
        if let Some((place, left)) = &mut self.fades {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.bytes[*place] ^= 1;
                self.fades = None;
            }
        }
        Ok(read)
    }

    async fn read(
        &mut self,
        _target: &Target,
        stretches: &[Stretch],
        take: Take,
        evidence: &mut ReadEvidence,
    ) -> Result<()> {
        evidence.cache_bypass = Some(CacheBypass::Direct);
        let (sender, chunks) = mpsc::channel(stretches.len().max(1));
        for stretch in stretches {
            let chunk = Bytes::copy_from_slice(self.slice(stretch.offset, stretch.length));
            sender.send(chunk).await.map_err(|_| never("listener"))?;
        }
        drop(sender);
        let length = stretches.iter().map(|stretch| stretch.length).sum();
        let taken = tokio::task::spawn_blocking(move || take(Incoming::new(length, chunks))).await;
        taken.map_err(|_| never("thread"))?.map_err(|broken| match broken {
            Broken::Bytes(reason) => Error::infrastructure(reason),
            Broken::Ours(error) => error,
        })
    }

    async fn release(self: Box<Self>) -> Result<Console> {
        Ok(Console::new(Box::new(tokio::io::duplex(1).0), Transcript::in_memory()))
    }
}
