//! Blocks between the medium and memory, and what each interface makes of those it cannot carry.

use super::super::memory::hextoul;
use super::super::state::UBoot;
use crate::size::MIB;
use crate::storage_interface::StorageInterface;

/// Bytes that an NVMe command of the simulated board carries.
const NVME_COMMAND: u64 = 512 * 1024;
/// Bytes that are held at once on their way.
const PIECE: u64 = 4 * MIB;
/// No such device (`ENODEV`).
const NO_DEVICE: i64 = -19;
/// Input/output error (`EIO`).
const IO_ERROR: i64 = -5;

/// Which way blocks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Read,
    Write,
}

/// Where blocks come from and go to.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockRange {
    pub(super) address: u64,
    pub(super) block: u64,
    pub(super) count: u64,
}

impl BlockRange {
    /// Address, first block and number of blocks as typed; a number that is missing is 0.
    pub(super) fn typed(arguments: &[&str]) -> Self {
        let number = |place: usize| arguments.get(place).map_or(0, |text| hextoul(text));
        Self { address: number(0), block: number(1), count: number(2) }
    }
}

impl Way {
    fn done(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "written",
        }
    }
}

impl UBoot<'_> {
    /// Carries blocks, and prints how many.
    pub(super) async fn carry(&mut self, interface: StorageInterface, way: Way, span: BlockRange) -> i32 {
        let device = self.media.current(interface);
        let carried = if self.media.knows(interface, device) {
            let Some(carried) = self.try_carry(interface, device, way, span).await else { return 1 };
            carried
        } else {
            NO_DEVICE
        };
        let well = u64::try_from(carried) == Ok(span.count);
        let end = if well { "OK" } else { "ERROR" };
        self.say(&format!("{carried} blocks {}: {end}\n", way.done()), i32::from(!well))
    }

    /// Blocks carried, or a negative error number; none when U-Boot did not survive it.
    async fn try_carry(
        &mut self,
        interface: StorageInterface,
        device: u32,
        way: Way,
        span: BlockRange,
    ) -> Option<i64> {
        if span.count == 0 && interface == StorageInterface::Virtio {
            // The device refuses an empty buffer and answers no more: U-Boot waits for ever.
            return std::future::pending().await;
        }
        let end = span.block.checked_add(span.count);
        if end.is_some_and(|end| end <= self.media.blocks()) {
            return self.move_blocks(interface, device, way, span).await;
        }
        match interface {
            StorageInterface::Mmc => {
                let (end, last) = (span.block.wrapping_add(span.count), self.media.blocks());
                self.print(&format!("MMC: block number {end:#x} exceeds max({last:#x})\n"));
                Some(0)
            }
            StorageInterface::Virtio => Some(IO_ERROR),
            StorageInterface::Nvme => {
                let whole = BlockRange { count: self.whole_commands(span), ..span };
                let carried = self.move_blocks(interface, device, way, whole).await?;
                self.print("ERROR: status = 4080, phase = 0, head = 1\n");
                Some(carried)
            }
            _ => Some(0),
        }
    }

    /// Blocks that whole NVMe commands carry before one meets the end of the device.
    fn whole_commands(&self, span: BlockRange) -> u64 {
        let command = NVME_COMMAND / self.media.sector;
        self.media.blocks().saturating_sub(span.block) / command * command
    }

    async fn move_blocks(
        &mut self,
        interface: StorageInterface,
        device: u32,
        way: Way,
        span: BlockRange,
    ) -> Option<i64> {
        if !self.touches(span.address, span.count * self.media.sector) {
            return None;
        }
        match way {
            Way::Read => self.read_blocks(interface, device, span).await,
            Way::Write => self.write_blocks(interface, device, span).await,
        }
    }

    async fn read_blocks(
        &mut self,
        interface: StorageInterface,
        device: u32,
        span: BlockRange,
    ) -> Option<i64> {
        let sector = self.media.sector;
        if let Some(bytes) = self.media.cache.look_up(interface, device, span.block, span.count) {
            return (self.put(span.address, &bytes) == 0).then_some(span.count as i64);
        }
        let blocks = PIECE / sector;
        for done in (0..span.count).step_by(blocks as usize) {
            let count = blocks.min(span.count - done);
            let Ok(bytes) = self.read_medium((span.block + done) * sector, count * sector).await else {
                return Some(self.failed(interface, Way::Read, done));
            };
            if self.put(span.address + done * sector, &bytes) != 0 {
                return None;
            }
            self.media.cache.fill(interface, device, span.block + done, &bytes, span.count);
        }
        Some(span.count as i64)
    }

    async fn write_blocks(
        &mut self,
        interface: StorageInterface,
        device: u32,
        span: BlockRange,
    ) -> Option<i64> {
        let sector = self.media.sector;
        self.media.cache.forget(interface, device);
        let blocks = PIECE / sector;
        for done in (0..span.count).step_by(blocks as usize) {
            let count = blocks.min(span.count - done);
            let bytes = self.memory.read(span.address + done * sector, count * sector);
            if let Err(failure) = self.write_medium((span.block + done) * sector, bytes).await {
                let done = done + failure.written / sector;
                return self.leave.is_none().then(|| self.failed(interface, Way::Write, done));
            }
        }
        Some(span.count as i64)
    }

    /// What an interface makes of a device that failed after `done` blocks: `mmc` gives up the whole of them.
    fn failed(&self, interface: StorageInterface, way: Way, done: u64) -> i64 {
        match (interface, way) {
            (StorageInterface::Mmc, Way::Write) => {
                self.print("mmc write failed\n");
                0
            }
            (StorageInterface::Mmc, Way::Read) => 0,
            (StorageInterface::Virtio, _) => IO_ERROR,
            _ => done as i64,
        }
    }
}
