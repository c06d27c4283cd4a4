//! How a medium is reached: what the steps ask of it, and who answers.
//!
//! The steps order the transaction; they know neither a shell nor a server. [`MediumAccess`] is what they ask. [`linux`] is a
//! small Linux on the board, [`uboot`] its boot loader, [`host`] a disk of this machine. Another way to a medium is another
//! implementation beside them, in a folder of its own.

mod abilities;
mod evidence;
pub(crate) mod host;
mod incoming;
mod instruction;
pub(crate) mod linux;
mod target;
pub(crate) mod uboot;
mod unpacking;
mod wanted;

use std::collections::BTreeMap;
use std::sync::Arc;

use board_console::Console;
use disk_image::Digest;
use flasher_core::flash::WireUsed;
use flasher_core::{Result, async_trait};

use crate::job::WritePermit;

pub(crate) use abilities::Abilities;
pub(crate) use evidence::{ReadEvidence, WriteEvidence};
pub(crate) use incoming::{Broken, Incoming, Take, take_into};
pub(crate) use instruction::{Instruction, Instructions, Stretch, Unheard, WriteProgress};
pub(crate) use target::{Identity, TABLE_COPY, Target, must_fit};
pub(crate) use unpacking::Unpacking;
pub(crate) use wanted::Wanted;

/// A way to the media of one board, open for as long as an attempt runs.
///
/// Every method fails with a class and a cause, and says in its context which device it is about. Whatever may write takes a
/// [`WritePermit`], which counts the write: what was read before proves nothing any more.
///
/// A job that is stopped drops the call under way: then nothing of it may go on here. What a board has begun ends when it is
/// switched off, and such an attempt has failed.
#[async_trait]
pub(crate) trait MediumAccess: Send {
    /// What it can do.
    fn abilities(&self) -> Abilities;

    /// Runs a command that prepares the medium: of the job, or of the manifest.
    async fn prepare(&mut self, command: &str, permit: WritePermit) -> Result<()>;

    /// The whole device that a manifest's target stands for: there it is, and nothing uses it.
    async fn disk(&mut self, target: &str) -> Result<String>;

    /// The partition of `disk` that is labelled `label`.
    async fn partition(&mut self, disk: &str, label: &str) -> Result<String>;

    /// Refuses partitions that share bytes: an image written to one would undo the proof of another.
    async fn must_be_apart(&mut self, devices: &[&str]) -> Result<()>;

    /// What is known of `device`, which is `disk` or a partition of it.
    async fn identify(&mut self, disk: &str, device: &str) -> Result<Identity>;

    /// Bytes of the device's sectors, where they are known.
    async fn sector_size(&mut self, device: &str) -> Result<Option<u64>>;

    /// Whether the end of the device has the copy of a partition table (GPT).
    async fn has_table_copy(&mut self, target: &Target) -> Result<bool>;

    /// Makes that copy durable zeros.
    async fn wipe_table_copy(&mut self, target: &Target, permit: WritePermit) -> Result<()>;

    /// Decides how an image of `length` bytes travels to the medium: what the ways cost is measured, unless the job says one.
    async fn choose_wire(&mut self, length: Option<u64>) -> Result<WireUsed>;

    /// Writes what the instructions say, in their order, and makes it durable. They come once: they cannot be asked for again.
    async fn write(
        &mut self,
        target: &Target,
        instructions: Instructions,
        progress: Arc<dyn WriteProgress>,
        permit: WritePermit,
    ) -> Result<WriteEvidence>;

    /// The same for a few bytes, as the first block is written and spoiled. They may be written more than once.
    async fn write_few(
        &mut self,
        target: &Target,
        instructions: Vec<Instruction>,
        permit: WritePermit,
    ) -> Result<WriteEvidence>;

    /// Has an image fetched from its URL and written from there, unpacked, but for its first block.
    async fn fetch(
        &mut self,
        target: &Target,
        image: (&str, Unpacking),
        progress: Arc<dyn WriteProgress>,
        permit: WritePermit,
    ) -> Result<()>;

    /// Digests of the wanted ranges as the medium holds them, read around every cache. A range that has none was compared with
    /// the image and differs. Notes in `evidence` how they were made, also when it fails.
    async fn digests(
        &mut self,
        target: &Target,
        wanted: Wanted<'_>,
        evidence: &mut ReadEvidence,
    ) -> Result<BTreeMap<usize, Digest>>;

    /// Reads these stretches around every cache and hands their bytes to `take`, one stretch after the other. What was taken
    /// counts only when this ends well.
    async fn read(
        &mut self,
        target: &Target,
        stretches: &[Stretch],
        take: Take,
        evidence: &mut ReadEvidence,
    ) -> Result<()>;

    /// Gives the medium to the board, and the console back, to watch the new system boot.
    async fn release(self: Box<Self>) -> Result<Console>;
}
