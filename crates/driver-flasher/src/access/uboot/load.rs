//! Bytes of ours on their way into the board's memory: a file in the job's TFTP folder, loaded, checked by length and CRC-32.

use bytes::Bytes;
use flasher_core::{Class, Error, Result, RootCause};

use super::answers;
use super::enter::BootLoader;
use crate::load_path;
use crate::staging::Staging;

/// How often a file is loaded before its path counts as one that changes bytes.
const TRIES: u32 = 3;
/// How often the board is asked for a sum before its answers count as lost.
const ASKED: u32 = 3;

/// A file that the board can load.
#[derive(Debug)]
pub(super) struct StagedChunk {
    name: String,
    /// Bytes.
    pub(super) length: u64,
    /// Their CRC-32 (ISO 3309).
    pub(super) crc: u32,
}

/// Puts bytes into the job's TFTP folder under a name of their own.
pub(super) async fn stage(staging: &Staging, number: u64, bytes: Bytes) -> Result<StagedChunk> {
    let (name, length) = (format!("chunk-{number}"), bytes.len() as u64);
    let crc = staging.put(&name, bytes).await?;
    Ok(StagedChunk { name, length, crc })
}

/// CRC-32 of so many zeros.
pub(super) fn crc_of_zeros(length: u64) -> u32 {
    let zeros = [0; 64 * 1024];
    let mut crc = flate2::Crc::new();
    let mut left = length;
    while left > 0 {
        let part = usize::try_from(left).map_or(zeros.len(), |left| left.min(zeros.len()));
        crc.update(&zeros[..part]);
        left -= part as u64;
    }
    crc.sum()
}

impl BootLoader<'_> {
    /// Loads a file to `address` and removes it here. What is there then is what was sent.
    pub(super) async fn load(&mut self, address: u64, chunk: StagedChunk) -> Result<()> {
        self.load_again(address, &chunk).await?;
        self.unstage(chunk).await
    }

    /// Removes a file that is not loaded any more.
    pub(super) async fn unstage(&mut self, chunk: StagedChunk) -> Result<()> {
        self.session.run.staging().take_away(&chunk.name).await
    }

    /// Loads a file to `address`, checked by its length alone; it can be loaded again.
    pub(super) async fn load_unchecked(&mut self, address: u64, chunk: &StagedChunk) -> Result<()> {
        self.zeros = 0;
        let place = (address, chunk.length);
        load_path::load(self.session, &mut self.uboot, place, &chunk.name, self.server).await
    }

    /// Loads a file to `address`; it can be loaded again.
    pub(super) async fn load_again(&mut self, address: u64, chunk: &StagedChunk) -> Result<()> {
        for tries_left in (0..TRIES).rev() {
            self.load_unchecked(address, chunk).await?;
            if self.crc32(address, chunk.length, chunk.crc).await? == chunk.crc {
                return Ok(());
            }
            if tries_left > 0 {
                self.session.run.warn("a load arrived changed in the board's memory and is repeated");
            }
        }
        Err(Error::new(
            Class::Infrastructure,
            format!("a load of {} bytes arrived changed {TRIES} times in the board's memory", chunk.length),
        )
        .help("the network or the board's memory is bad: check the cable, and lower `tftp_window_size`")
        .caused_by(RootCause::BadChecksum))
    }

    /// CRC-32 of bytes in the board's memory. A sum other than `expected` is asked for again: the console may have changed it.
    pub(super) async fn crc32(&mut self, address: u64, length: u64, expected: u32) -> Result<u32> {
        let command = format!("crc32 {address:#x} {length:x}");
        let mut before = None;
        for _ in 0..ASKED {
            let answer = self.compute(&command).await?;
            let sum = answers::crc32(&answer.output).filter(|_| answer.status == 0);
            match sum {
                Some(sum) if sum == expected || before == Some(sum) => return Ok(sum),
                _ => before = sum.or(before),
            }
        }
        Err(unclear("crc32"))
    }
}

/// The board's answers to a question differ.
pub(super) fn unclear(command: &str) -> Error {
    Error::new(Class::Infrastructure, format!("the board's answers to `{command}` differ from each other"))
        .help("check the serial line; in the config of the flasher's `serial` child, `cps: 100` slows typing down").caused_by(RootCause::LineChangesCharacters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_zeros() {
        for length in [0, 1, 65_536, 100_003] {
            let mut crc = flate2::Crc::new();
            crc.update(&vec![0; length]);
            assert_eq!(crc_of_zeros(length as u64), crc.sum());
        }
    }
}
