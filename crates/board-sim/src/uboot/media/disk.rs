//! Reading and writing the file that is the medium, with what goes wrong there.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::state::{UBoot, UBootExit};
use crate::config::Config;
use crate::faults::{Beyond, RealSize};
use crate::strikes::Times;

/// A write that did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WriteFailure {
    /// Bytes that have reached the medium.
    pub(super) written: u64,
}

/// How far a write comes, and whether the power ends it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WriteLimit {
    bytes: u64,
    is_power_cut: bool,
}

impl UBoot<'_> {
    /// Bytes of the medium, as they are.
    pub(super) async fn read_disk(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let path = self.machine.medium.clone();
        let work = self.machine.file_work.spawn_blocking(move || read(&path, offset, length));
        work.await.map_err(io::Error::other)?
    }

    /// Bytes of the medium, as the fault knobs let them be read.
    pub(super) async fn read_medium(&mut self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let config = Arc::clone(&self.machine.config);
        if config.faults.read_error_at.is_some_and(|at| (offset..offset + length).contains(&at.0)) {
            return Err(io::ErrorKind::Other.into());
        }
        let mut bytes = self.read_disk(offset, length).await?;
        self.make_stale(config.faults.uboot.stale_reads, offset, &mut bytes);
        let flips = self.machine.tally.read().read_flips;
        if config.faults.uboot.flip_read.is_some_and(|flip| flip.strike(offset, &mut bytes, flips)) {
            self.machine.tally.count(|counters| counters.read_flips += 1);
        }
        Ok(bytes)
    }

    /// Puts back what was there before the writes; the oldest counts.
    fn make_stale(&self, times: Times, offset: u64, bytes: &mut [u8]) {
        let end = offset + bytes.len() as u64;
        let mut touched = false;
        if times.strikes(self.machine.tally.read().stale_reads) {
            for (start, old) in self.media.before.iter().rev() {
                let (from, to) = (offset.max(*start), end.min(start + old.len() as u64));
                if from < to {
                    let part = &old[(from - start) as usize..(to - start) as usize];
                    bytes[(from - offset) as usize..(to - offset) as usize].copy_from_slice(part);
                    touched = true;
                }
            }
        }
        if touched {
            self.machine.tally.count(|counters| counters.stale_reads += 1);
        }
    }

    /// Writes bytes to the medium as far as the fault knobs allow. When the power goes, U-Boot is left.
    pub(super) async fn write_medium(&mut self, offset: u64, mut bytes: Vec<u8>) -> Result<(), WriteFailure> {
        let config = Arc::clone(&self.machine.config);
        let faults = &config.faults;
        let wanted = bytes.len() as u64;
        let so_far = self.machine.tally.read();
        if faults.uboot.lost_writes.strikes(so_far.lost_writes) {
            self.machine.tally.count(|counters| counters.lost_writes += 1);
            return Ok(());
        }
        let limit = self.limit(&config, offset, wanted);
        bytes.truncate(limit.bytes as usize);
        if faults.flip_bit.is_some_and(|flip| flip.strike(offset, &mut bytes, so_far.flips)) {
            self.machine.tally.count(|counters| counters.flips += 1);
        }
        self.remember(&config, offset, limit.bytes).await;
        let done = self.write_disk(&config, offset, bytes).await;
        let written = if done.is_ok() { limit.bytes } else { 0 };
        self.media.written += written;
        self.machine.tally.count(|counters| counters.written_bytes += written);
        if limit.is_power_cut {
            self.machine.tally.count(|counters| counters.power_cuts += 1);
            self.leave = Some(UBootExit::Off);
        }
        if done.is_ok() && written == wanted && !limit.is_power_cut {
            return Ok(());
        }
        Err(WriteFailure { written })
    }

    /// Keeps what is there before a write, when a fault knob may want it.
    async fn remember(&mut self, config: &Config, offset: u64, length: u64) {
        if config.faults.uboot.stale_reads == Times::default() {
            return;
        }
        if let Ok(old) = self.read_disk(offset, length).await {
            self.media.before.push((offset, old));
        }
    }

    /// The first thing that stops a write of `length` bytes at `offset`.
    fn limit(&self, config: &Config, offset: u64, length: u64) -> WriteLimit {
        let (faults, written, sector) = (&config.faults, self.media.written, self.media.sector);
        let until = |place: u64| place.saturating_sub(offset) / sector * sector;
        let errors = [
            faults.full_at.map(|at| until(at.0)),
            faults.write_error.filter(|at| at.0 >= offset).map(|at| until(at.0)),
            faults.uboot.write_error_after.map(|blocks| (blocks * sector).saturating_sub(written)),
        ];
        let error = errors.into_iter().flatten().min().unwrap_or(length).min(length);
        let may_cut = faults.cut_power_always || self.machine.tally.read().power_cuts == 0;
        let cut = faults.cut_power_after_bytes.filter(|_| may_cut).map(|at| at.0.saturating_sub(written));
        match cut.filter(|cut| *cut <= error) {
            Some(bytes) => WriteLimit { bytes, is_power_cut: true },
            None => WriteLimit { bytes: error, is_power_cut: false },
        }
    }

    /// Goes on when the board is switched off meanwhile, as a device does with what it has.
    async fn write_disk(&self, config: &Config, offset: u64, bytes: Vec<u8>) -> io::Result<()> {
        let (path, size, real) = (self.machine.medium.clone(), self.media.size, config.faults.real_size);
        let slow = config.faults.slow.filter(|rate| rate.0 > 0);
        let time = slow.map(|rate| Duration::from_secs_f64(bytes.len() as f64 / rate.0 as f64));
        let work = self.machine.file_work.spawn_blocking(move || {
            let file = OpenOptions::new().write(true).open(path)?;
            match real {
                Some(real) => write_counterfeit(&file, offset, bytes, size, real),
                None => file.write_all_at(&bytes, offset),
            }
        });
        let done = work.await.map_err(io::Error::other)?;
        if let Some(time) = time {
            tokio::time::sleep(time).await;
        }
        done
    }
}

fn read(path: &Path, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    File::open(path)?.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// A medium of `size` bytes that holds less: what is written behind that is lost, or lands at each address of its place.
fn write_counterfeit(
    file: &File,
    offset: u64,
    mut bytes: Vec<u8>,
    size: u64,
    real: RealSize,
) -> io::Result<()> {
    let holds = real.bytes.0;
    if real.beyond == Beyond::Drop {
        let kept = holds.saturating_sub(offset).min(bytes.len() as u64) as usize;
        bytes[kept..].fill(0);
        return file.write_all_at(&bytes, offset);
    }
    let mut rest = &bytes[..];
    let mut from = offset;
    while !rest.is_empty() {
        let place = from % holds;
        let (part, later) = rest.split_at(rest.len().min((holds - place) as usize));
        for address in (place..size).step_by(holds as usize) {
            let fits = part.len().min((size - address) as usize);
            file.write_all_at(&part[..fits], address)?;
        }
        from += part.len() as u64;
        rest = later;
    }
    Ok(())
}
