//! A device of this machine as the way to a medium: an SD mux, a card reader, a USB stick. Bytes go there directly, without a network
//! and without the board.
//!
//! * [`enter`]: the medium is waited for, looked at, and opened by us alone
//! * `sysfs`: what the kernel knows of it
//! * `in_use`, `signatures`: what is never written
//! * `disk`: reading and writing around the page cache; `watch`: on a thread, with an eye on a device that does not answer
//! * `write`, `read_back`: the instructions, and the proof; `window`, `partition`: a part of the disk
//!
//! An error of the device is given once and never tried again: the kernel reports an error of its own writing a single time, and
//! answers a second question as if all were well. An attempt after it writes everything anew.

mod disk;
mod enter;
mod in_use;
mod partition;
mod read_back;
mod signatures;
mod sysfs;
mod watch;
mod window;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use board_console::Console;
use disk_image::Digest;
use flasher_core::flash::{CacheBypass, DigestsBy, ViaUsed, WireUsed};
use flasher_core::{Class, Error, Result, async_trait};

use super::{
    Abilities, Identity, Instruction, Instructions, MediumAccess, ReadEvidence, Stretch, TABLE_COPY, Take,
    Target, Unheard, Unpacking, Wanted, WriteEvidence, WriteProgress,
};
use crate::blocking::blocking;
use crate::config::seconds;
use crate::device_name::DeviceName;
use crate::hand_over;
use crate::job::{Session, WritePermit};
use disk::{AlignedBuffer, Disk};
pub(crate) use enter::enter;
use sysfs::HostDisk;
use watch::watched;
use window::Window;

/// A disk of this machine that a job has for itself.
pub(crate) struct HostMedium<'a> {
    session: Session<'a>,
    name: DeviceName,
    about: HostDisk,
    disk: Arc<Disk>,
    /// What tells it from another.
    facts: BTreeMap<String, String>,
    /// The disk and its partitions that were found, by the name that messages give them.
    windows: BTreeMap<String, Window>,
}

impl HostMedium<'_> {
    fn window(&self, device: &str) -> Result<Window> {
        let known = self.windows.get(device).copied();
        known.ok_or_else(|| Error::new(Class::Internal, format!("`{device}` was not looked for")))
    }

    /// How long one operation of the device may take.
    fn patience(&self) -> Duration {
        seconds(self.session.flasher.config.timeouts.stall)
    }

    /// The name still leads to the disk that is open: what is proven is what is there.
    async fn must_be_there(&self) -> Result<()> {
        let name = self.name.clone();
        let found = blocking(move || sysfs::find(&name)).await?;
        let is_it = |found: &HostDisk| {
            (found.number, found.diskseq, found.size)
                == (self.about.number, self.about.diskseq, self.about.size)
        };
        match found.as_ref().is_some_and(is_it) {
            true => Ok(()),
            false => Err(Error::infrastructure(format!(
                "`{}` led to `{}`, and does so no more: the medium went away meanwhile",
                self.name, self.disk.node
            ))
            .help("is the mux, the reader or its cable loose? the kernel's log (`dmesg`) says when it went")),
        }
    }
}

#[async_trait]
impl MediumAccess for HostMedium<'_> {
    fn abilities(&self) -> Abilities {
        Abilities { via: ViaUsed::Host, small_reads: true, sends: true }
    }

    async fn prepare(&mut self, _command: &str, _permit: WritePermit) -> Result<()> {
        // *plan* refuses it before anything is switched.
        Err(Error::new(Class::Internal, "no command runs on a board whose medium is here"))
    }

    async fn disk(&mut self, _target: &str) -> Result<String> {
        Ok(self.disk.node.clone())
    }

    async fn partition(&mut self, disk: &str, label: &str) -> Result<String> {
        let (size, wanted) = (self.about.size, label.to_owned());
        let find = move |disk: &Disk, _: &_| partition::find(disk, size, &wanted);
        let window = watched(&self.disk, self.patience(), find).await?;
        let device = format!("{disk}#{label}");
        self.windows.insert(device.clone(), window);
        Ok(device)
    }

    async fn must_be_apart(&mut self, devices: &[&str]) -> Result<()> {
        let mut windows = Vec::new();
        for device in devices {
            windows.push(((*device).to_owned(), self.window(device)?));
        }
        partition::must_be_apart(&windows)
    }

    async fn identify(&mut self, _disk: &str, device: &str) -> Result<Identity> {
        Ok(Identity { size: self.window(device)?.length, facts: self.facts.clone(), direct: true })
    }

    async fn sector_size(&mut self, _device: &str) -> Result<Option<u64>> {
        Ok(Some(self.disk.sector))
    }

    async fn has_table_copy(&mut self, target: &Target) -> Result<bool> {
        let window = self.window(&target.device)?;
        let at = window.start + window.length - TABLE_COPY;
        watched(&self.disk, self.patience(), move |disk, _| {
            let mut buffer = AlignedBuffer::new(TABLE_COPY as usize);
            let bytes = buffer.first_mut(TABLE_COPY as usize);
            disk.read(at, bytes)?;
            Ok(bytes.chunks(512).any(|sector| sector.starts_with(partition::TABLE_MARK)))
        })
        .await
    }

    async fn wipe_table_copy(&mut self, target: &Target, permit: WritePermit) -> Result<()> {
        let zeros = Instruction::Fill { offset: target.size - TABLE_COPY, length: TABLE_COPY };
        self.write_few(target, vec![zeros, Instruction::Flush], permit).await.map(drop)
    }

    async fn choose_wire(&mut self, _length: Option<u64>) -> Result<WireUsed> {
        Ok(WireUsed::Identity)
    }

    async fn write(
        &mut self,
        target: &Target,
        mut instructions: Instructions,
        progress: Arc<dyn WriteProgress>,
        _permit: WritePermit,
    ) -> Result<WriteEvidence> {
        let window = self.window(&target.device)?;
        let write = move |disk: &Disk, stop: &_| {
            write::carry_out(disk, window, || instructions.blocking_recv(), progress, stop)
        };
        watched(&self.disk, self.patience(), write).await
    }

    async fn write_few(
        &mut self,
        target: &Target,
        instructions: Vec<Instruction>,
        _permit: WritePermit,
    ) -> Result<WriteEvidence> {
        let window = self.window(&target.device)?;
        let write = move |disk: &Disk, stop: &_| {
            let mut all = instructions.into_iter().chain([Instruction::End]).map(Ok);
            write::carry_out(disk, window, || all.next(), Arc::new(Unheard), stop)
        };
        watched(&self.disk, self.patience(), write).await
    }

    async fn fetch(
        &mut self,
        _target: &Target,
        _image: (&str, Unpacking),
        _progress: Arc<dyn WriteProgress>,
        _permit: WritePermit,
    ) -> Result<()> {
        // *plan* refuses it before anything is switched.
        Err(Error::new(Class::Internal, "no board fetches an image for a medium that is here"))
    }

    async fn digests(
        &mut self,
        target: &Target,
        wanted: Wanted<'_>,
        evidence: &mut ReadEvidence,
    ) -> Result<BTreeMap<usize, Digest>> {
        evidence.cache_bypass = Some(CacheBypass::Direct);
        evidence.made_by(DigestsBy::Exporter);
        let reading = read_back::Reading {
            window: self.window(&target.device)?,
            ranges: wanted.indices.iter().map(|index| (*index, wanted.ranges[*index].clone())).collect(),
            count: wanted.count.cloned(),
        };
        let read = move |disk: &Disk, stop: &_| read_back::digests(disk, &reading, stop);
        let digests = watched(&self.disk, self.patience(), read).await?;
        self.must_be_there().await?;
        wanted.settle();
        Ok(digests)
    }

    async fn read(
        &mut self,
        target: &Target,
        stretches: &[Stretch],
        take: Take,
        evidence: &mut ReadEvidence,
    ) -> Result<()> {
        evidence.cache_bypass = Some(CacheBypass::Direct);
        let (window, stretches) = (self.window(&target.device)?, stretches.to_vec());
        let read = move |disk: &Disk, stop: &_| read_back::read(disk, window, &stretches, take, stop);
        watched(&self.disk, self.patience(), read).await
    }

    async fn release(self: Box<Self>) -> Result<Console> {
        let session = self.session;
        drop(self);
        hand_over::to_board(session).await?;
        hand_over::console(session).await
    }
}
