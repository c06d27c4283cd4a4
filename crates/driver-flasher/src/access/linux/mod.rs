//! A small Linux on the board as the way to its medium: it runs our script, gets its orders over its console, and fetches and
//! sends bytes over HTTP.
//!
//! * [`enter`]: logs in, brings the network up and the script onto the board
//! * `guest`: runs commands there; `script`: the script, and the words it answers with
//! * `last_words`: what the kernel says after a failure
//! * `device`, `partition`, `table_copy`: what the kernel knows of its block devices
//! * `write`: the instructions as a stream of `frames`, packed by `wire`, watched by `watch` with `patience`; `direct`: the board
//!   fetches the image by itself
//! * `read_back`: digests and bytes of the medium

mod ahead;
mod device;
mod direct;
mod enter;
mod frames;
mod guest;
mod last_words;
mod partition;
mod patience;
mod read_back;
mod script;
mod table_copy;
mod watch;
mod wire;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use board_console::Console;
use disk_image::Digest;
use flasher_core::flash::{ViaUsed, WireUsed};
use flasher_core::{Result, async_trait};

use super::{
    Abilities, Identity, Instruction, Instructions, MediumAccess, ReadEvidence, Stretch, Take, Target,
    Unpacking, Wanted, WriteEvidence, WriteProgress,
};
use crate::job::{Session, WritePermit};
pub(crate) use enter::enter;
use guest::{Guest, path};

/// Takes back whatever the board could fetch, at the end of an attempt.
pub(crate) fn withdraw(session: Session<'_>) {
    for name in guest::PUBLISHED {
        session.http().withdraw(&path(session, name));
    }
}

#[async_trait]
impl MediumAccess for Guest<'_> {
    fn abilities(&self) -> Abilities {
        Abilities { via: ViaUsed::Linux, small_reads: true, sends: true }
    }

    async fn prepare(&mut self, command: &str, permit: WritePermit) -> Result<()> {
        self.change(command, permit).await
    }

    async fn disk(&mut self, target: &str) -> Result<String> {
        let found = device::disk(self, target).await;
        self.heard(found).await
    }

    async fn partition(&mut self, disk: &str, label: &str) -> Result<String> {
        partition::find(self, disk, label).await
    }

    async fn must_be_apart(&mut self, devices: &[&str]) -> Result<()> {
        partition::must_be_apart(self, devices).await
    }

    async fn identify(&mut self, disk: &str, device: &str) -> Result<Identity> {
        let known = device::identify(self, disk, device).await;
        self.heard(known).await
    }

    async fn sector_size(&mut self, device: &str) -> Result<Option<u64>> {
        device::sector_size(self, device).await
    }

    async fn has_table_copy(&mut self, target: &Target) -> Result<bool> {
        table_copy::is_there(self, target).await
    }

    async fn wipe_table_copy(&mut self, target: &Target, permit: WritePermit) -> Result<()> {
        table_copy::wipe(self, target, permit).await
    }

    async fn choose_wire(&mut self, length: Option<u64>) -> Result<WireUsed> {
        self.wire = wire::choose(self, length).await?;
        Ok(wire::used(self.wire))
    }

    async fn write(
        &mut self,
        target: &Target,
        instructions: Instructions,
        progress: Arc<dyn WriteProgress>,
        permit: WritePermit,
    ) -> Result<WriteEvidence> {
        let written = write::all(self, target, instructions, progress, permit).await;
        self.heard(written).await
    }

    async fn write_few(
        &mut self,
        target: &Target,
        instructions: Vec<Instruction>,
        permit: WritePermit,
    ) -> Result<WriteEvidence> {
        let written = write::few(self, target, instructions, permit).await;
        self.heard(written).await
    }

    async fn fetch(
        &mut self,
        target: &Target,
        image: (&str, Unpacking),
        progress: Arc<dyn WriteProgress>,
        permit: WritePermit,
    ) -> Result<()> {
        let written = direct::all(self, target, image, progress, permit).await;
        self.heard(written).await
    }

    async fn digests(
        &mut self,
        target: &Target,
        wanted: Wanted<'_>,
        evidence: &mut ReadEvidence,
    ) -> Result<BTreeMap<usize, Digest>> {
        let read = read_back::digests(self, target, wanted, evidence).await;
        self.heard(read).await
    }

    async fn read(
        &mut self,
        target: &Target,
        stretches: &[Stretch],
        take: Take,
        evidence: &mut ReadEvidence,
    ) -> Result<()> {
        let read = read_back::network::read(self, target, stretches, take, evidence).await;
        self.heard(read).await
    }

    async fn release(self: Box<Self>) -> Result<Console> {
        Ok(self.shell.into_console())
    }
}
