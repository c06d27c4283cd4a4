//! Writing: data is gathered to long stretches of whole sectors, zeros are made by the kernel where it can.

use std::sync::Arc;

use disk_image::Extent;
use flasher_core::flash::ZerosBy;
use flasher_core::{CancellationToken, Class, Error, Result};

use super::disk::{AlignedBuffer, Disk, DiskAction};
use super::watch::not_wanted;
use super::window::Window;
use crate::access::{Instruction, WriteEvidence, WriteProgress};

/// Most that is written at once, bytes.
const CHUNK: usize = 4 << 20;
/// Zeros up to so many bytes are written as data.
const SMALL: u64 = 256 * 1024;
/// Zeros that the kernel makes in one go, bytes: a slow medium takes some seconds for them.
const ZEROS: u64 = 32 << 20;

/// Carries out what `next` gives, up to [`Instruction::End`]. Blocks.
pub(super) fn carry_out(
    disk: &Disk,
    window: Window,
    mut next: impl FnMut() -> Option<Result<Instruction, String>>,
    progress: Arc<dyn WriteProgress>,
    stop: &CancellationToken,
) -> Result<WriteEvidence> {
    let mut writer = SectorWriter::new(disk, window, progress, stop);
    loop {
        match next() {
            Some(Ok(Instruction::End)) => break,
            Some(Ok(instruction)) => writer.take(instruction)?,
            Some(Err(reason)) => return Err(Error::new(Class::Source, reason)),
            None if stop.is_cancelled() => return Err(not_wanted()),
            None => return Err(Error::new(Class::Internal, "the instructions ended before the image did")),
        }
    }
    writer.flush()?;
    Ok(writer.evidence)
}

/// Instructions on their way to become whole sectors.
struct SectorWriter<'d> {
    disk: &'d Disk,
    window: Window,
    progress: Arc<dyn WriteProgress>,
    stop: &'d CancellationToken,
    buffer: AlignedBuffer,
    /// Where the gathered bytes belong on the disk, and how many there are; a beginning within a sector has what was there before it.
    start: u64,
    length: usize,
    decoded: u64,
    has_begun: bool,
    evidence: WriteEvidence,
}

impl<'d> SectorWriter<'d> {
    fn new(
        disk: &'d Disk,
        window: Window,
        progress: Arc<dyn WriteProgress>,
        stop: &'d CancellationToken,
    ) -> Self {
        Self {
            disk,
            window,
            progress,
            stop,
            buffer: AlignedBuffer::new(CHUNK),
            start: 0,
            length: 0,
            decoded: 0,
            has_begun: false,
            evidence: WriteEvidence::default(),
        }
    }

    fn take(&mut self, instruction: Instruction) -> Result<()> {
        if self.stop.is_cancelled() {
            return Err(not_wanted());
        }
        match instruction {
            Instruction::Write(Extent::Data { offset, bytes }) => {
                let at = self.window.place(offset, bytes.len() as u64)?;
                self.data(at, &bytes)
            }
            Instruction::Write(Extent::Zero { offset, length }) => {
                let at = self.window.place(offset, length)?;
                if length <= SMALL { self.written_zeros(at, length) } else { self.zeros(at, length) }
            }
            Instruction::Fill { offset, length } => {
                let at = self.window.place(offset, length)?;
                self.written_zeros(at, length)
            }
            Instruction::Flush => self.flush(),
            Instruction::Decoded(to) => {
                self.decoded = to;
                if self.length == 0 {
                    self.progress.reached(to);
                }
                Ok(())
            }
            Instruction::Write(Extent::Unmapped { .. }) | Instruction::End => self.put(),
        }
    }

    /// Gathers bytes that belong at byte `at` of the disk.
    fn data(&mut self, mut at: u64, mut bytes: &[u8]) -> Result<()> {
        if self.start + self.length as u64 != at {
            self.put()?;
        }
        while !bytes.is_empty() {
            if self.length == 0 {
                self.begin(at)?;
            }
            let (part, rest) = bytes.split_at(bytes.len().min(CHUNK - self.length));
            self.buffer.first_mut(self.length + part.len())[self.length..].copy_from_slice(part);
            self.length += part.len();
            at += part.len() as u64;
            bytes = rest;
            if self.length == CHUNK {
                self.put()?;
            }
        }
        Ok(())
    }

    /// Gathers from byte `at` on, with what lies before it in its sector.
    fn begin(&mut self, at: u64) -> Result<()> {
        let sector = self.disk.sector;
        let inside = at % sector;
        self.start = at - inside;
        if inside > 0 {
            let before = self.buffer.first_mut(sector as usize);
            self.disk.read(self.start, before)?;
        }
        self.length = inside as usize;
        Ok(())
    }

    /// Writes what is gathered; the last sector keeps what lies behind it.
    fn put(&mut self) -> Result<()> {
        if self.length == 0 {
            return Ok(());
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            self.progress.begins();
        }
        let sector = self.disk.sector as usize;
        let whole = self.length.next_multiple_of(sector);
        if whole > self.length {
            let last = self.start + (whole - sector) as u64;
            let mut behind = AlignedBuffer::new(sector);
            self.disk.read(last, behind.first_mut(sector))?;
            let kept = &behind.first(sector)[sector - (whole - self.length)..];
            self.buffer.first_mut(whole)[self.length..].copy_from_slice(kept);
        }
        self.disk.write(self.start, self.buffer.first(whole))?;
        let end = self.start + self.length as u64;
        self.length = 0;
        self.reached(end);
        Ok(())
    }

    /// Tells how far the medium holds the image, once it holds it up to byte `end` of the disk.
    fn reached(&self, end: u64) {
        self.progress.reached((end - self.window.start).min(self.decoded));
    }

    /// Zeros as the kernel makes them, but for what begins or ends within a sector.
    fn zeros(&mut self, at: u64, length: u64) -> Result<()> {
        let (sector, end) = (self.disk.sector, at + length);
        let (first, last) = (at.next_multiple_of(sector), end / sector * sector);
        self.written_zeros(at, first - at)?;
        self.put()?;
        if !std::mem::replace(&mut self.has_begun, true) {
            self.progress.begins();
        }
        let mut from = first;
        while from < last {
            if self.stop.is_cancelled() {
                return Err(not_wanted());
            }
            let part = (last - from).min(ZEROS);
            let made = self
                .disk
                .zero(from, part)
                .map_err(|error| self.disk.failed(DiskAction::Zero, from, &error))?;
            match made {
                true if self.evidence.zeros_by.is_none() => self.evidence.zeros_by = Some(ZerosBy::Zeroout),
                true => {}
                false => self.written_zeros(from, part)?,
            }
            from += part;
            self.reached(from);
        }
        self.written_zeros(last, end - last)
    }

    /// Zeros that are written as data.
    fn written_zeros(&mut self, mut at: u64, mut length: u64) -> Result<()> {
        static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
        if length > 0 {
            self.evidence.zeros_by = Some(ZerosBy::Written);
        }
        while length > 0 {
            let part = length.min(ZEROS.len() as u64);
            self.data(at, &ZEROS[..part as usize])?;
            at += part;
            length -= part;
        }
        Ok(())
    }

    /// Makes durable what was written. An error of the kernel's own writing shows here, once.
    fn flush(&mut self) -> Result<()> {
        self.put()?;
        self.disk.flush().map_err(|error| self.disk.failed(DiskAction::Flush, self.window.start, &error))
    }
}
