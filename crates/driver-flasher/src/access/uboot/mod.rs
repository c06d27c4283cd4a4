//! The board's boot loader as the way to its medium: bytes come by TFTP, and U-Boot's own commands write and read them.
//!
//! * [`enter`]: which commands this U-Boot has, and where in memory there is room
//! * `block_device`: what U-Boot calls a medium, and the commands for it; `partition`: a part of it
//! * `areas`: the memory that is free for loads, as `bdinfo` tells; `load`: bytes of ours on their way into it
//! * `gather`: instructions as chunks and zeros; `write`: carries them out; `blocks`: whole blocks between memory and medium
//! * `read_back`: digests by `hash`, or a comparison with bytes that are loaded once more; `expected`: those bytes;
//!   `send`: bytes by `tftpput`, where there is one; `dump`: a few bytes over the console
//!
//! A write has ended when its command has: U-Boot writes block by block and keeps nothing back, so there is nothing to flush.

mod answers;
mod areas;
mod block_device;
mod blocks;
mod dump;
mod enter;
mod expected;
mod gather;
mod load;
mod partition;
mod read_back;
mod send;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use board_console::Console;
use disk_image::Digest;
use flasher_core::flash::{ViaUsed, WireUsed};
use flasher_core::{Class, Error, Result, async_trait};

use super::{
    Abilities, Identity, Instruction, Instructions, MediumAccess, ReadEvidence, Stretch, TABLE_COPY, Take,
    Target, Unpacking, Wanted, WriteEvidence, WriteProgress,
};
use crate::job::WritePermit;
pub(crate) use block_device::BlockDevice;
use enter::BootLoader;
pub(crate) use enter::enter;

/// The mark at the beginning of a GUID partition table's header (UEFI specification, 5.3.2).
const TABLE_MARK: &[u8; 8] = b"EFI PART";

#[async_trait]
impl MediumAccess for BootLoader<'_> {
    fn abilities(&self) -> Abilities {
        Abilities {
            via: ViaUsed::Uboot,
            small_reads: self.hash.is_some() || self.has_put,
            sends: self.has_put,
        }
    }

    async fn prepare(&mut self, command: &str, permit: WritePermit) -> Result<()> {
        self.change(command, permit).await
    }

    async fn disk(&mut self, target: &str) -> Result<String> {
        self.select(target).await
    }

    async fn partition(&mut self, disk: &str, label: &str) -> Result<String> {
        partition::find(self, disk, label).await
    }

    async fn must_be_apart(&mut self, devices: &[&str]) -> Result<()> {
        partition::must_be_apart(self, devices)
    }

    async fn identify(&mut self, _disk: &str, device: &str) -> Result<Identity> {
        let window = self.window(device)?;
        Ok(Identity { size: window.length, facts: self.facts.clone(), direct: true })
    }

    async fn sector_size(&mut self, device: &str) -> Result<Option<u64>> {
        Ok(Some(self.window(device)?.block))
    }

    async fn has_table_copy(&mut self, target: &Target) -> Result<bool> {
        let window = self.window(&target.device)?;
        let header = target.size - window.block;
        let bytes = dump::bytes(self, &window, header, TABLE_MARK.len() as u64).await?;
        Ok(bytes == TABLE_MARK)
    }

    async fn wipe_table_copy(&mut self, target: &Target, permit: WritePermit) -> Result<()> {
        let zeros = Instruction::Fill { offset: target.size - TABLE_COPY, length: TABLE_COPY };
        self.write_few(target, vec![zeros], permit).await.map(drop)
    }

    async fn choose_wire(&mut self, _length: Option<u64>) -> Result<WireUsed> {
        Ok(WireUsed::Identity)
    }

    async fn write(
        &mut self,
        target: &Target,
        instructions: Instructions,
        progress: Arc<dyn WriteProgress>,
        permit: WritePermit,
    ) -> Result<WriteEvidence> {
        write::all(self, target, instructions, progress, permit).await
    }

    async fn write_few(
        &mut self,
        target: &Target,
        instructions: Vec<Instruction>,
        permit: WritePermit,
    ) -> Result<WriteEvidence> {
        write::few(self, target, instructions, permit).await
    }

    async fn fetch(
        &mut self,
        _target: &Target,
        _image: (&str, Unpacking),
        _progress: Arc<dyn WriteProgress>,
        _permit: WritePermit,
    ) -> Result<()> {
        // *plan* refuses it before power on.
        Err(Error::new(Class::Internal, "a boot loader unpacks no image by itself"))
    }

    async fn digests(
        &mut self,
        target: &Target,
        wanted: Wanted<'_>,
        evidence: &mut ReadEvidence,
    ) -> Result<BTreeMap<usize, Digest>> {
        read_back::digests(self, target, wanted, evidence).await
    }

    async fn read(
        &mut self,
        target: &Target,
        stretches: &[Stretch],
        take: Take,
        evidence: &mut ReadEvidence,
    ) -> Result<()> {
        send::read(self, target, stretches, take, evidence).await
    }

    async fn release(self: Box<Self>) -> Result<Console> {
        Ok(self.uboot.into_console())
    }
}
