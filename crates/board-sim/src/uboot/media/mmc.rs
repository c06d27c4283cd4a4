//! `mmc` (cmd/mmc.c), for an SD card.

use super::super::memory::{dectoul, hextoul};
use super::super::rough_size::rough_size;
use super::super::state::UBoot;
use super::transfer::{BlockRange, Way};
use crate::storage_interface::StorageInterface;

/// Above this size a card is one of high capacity (SDHC).
const STANDARD_CAPACITY: u64 = 2 << 30;
/// What an erased block of an SD card holds.
const ERASED: u8 = 0xff;

/// The name of a controller's node in the device tree.
pub(super) fn node(device: u32) -> String {
    format!("mmc@{:x}", 0x4fb_0000_u32.wrapping_sub(device.wrapping_mul(0x3_0000)))
}

impl UBoot<'_> {
    /// A command of `mmc`.
    pub(super) async fn mmc(&mut self, arguments: &[&str]) -> i32 {
        match arguments {
            ["list"] => self.list_cards(),
            ["dev"] => self.choose_card(self.media.current(StorageInterface::Mmc).into(), 0),
            ["dev", device] => self.choose_card(dectoul(device), 0),
            ["dev", device, part, ..] => self.choose_card(dectoul(device), dectoul(part)),
            ["info"] | ["rescan", ..] | ["part"] if !self.has_card() => self.no_card(),
            ["info"] => self.card_info(),
            ["rescan", ..] => 0,
            ["part"] => {
                self.print_table(StorageInterface::Mmc, self.media.current(StorageInterface::Mmc), true)
                    .await;
                0
            }
            ["read", rest @ ..] if rest.len() == 3 => {
                self.carry_card(Way::Read, BlockRange::typed(rest)).await
            }
            ["write", rest @ ..] if rest.len() == 3 => {
                self.carry_card(Way::Write, BlockRange::typed(rest)).await
            }
            ["erase", block, count] => self.erase_card(hextoul(block), hextoul(count)).await,
            _ => self.usage("mmc"),
        }
    }

    fn has_card(&self) -> bool {
        self.media.knows(StorageInterface::Mmc, self.media.current(StorageInterface::Mmc))
    }

    fn no_card(&self) -> i32 {
        if self.media.controllers(StorageInterface::Mmc).is_empty() {
            return self.say("No MMC device available\n", 1);
        }
        let device = self.media.current(StorageInterface::Mmc);
        if self.media.controllers(StorageInterface::Mmc).contains(&device) {
            return self.say("MMC: no card present\n", 1);
        }
        self.say(&format!("no mmc device at slot {device:x}\n"), 1)
    }

    fn list_cards(&self) -> i32 {
        for &device in self.media.controllers(StorageInterface::Mmc) {
            let card = if self.media.knows(StorageInterface::Mmc, device) { " (SD)" } else { "" };
            self.print(&format!("{}: {device}{card}\n", node(device)));
        }
        0
    }

    /// A card has one partition of its hardware, number 0.
    fn choose_card(&mut self, device: u64, part: u64) -> i32 {
        let known =
            u32::try_from(device).ok().filter(|&device| self.media.knows(StorageInterface::Mmc, device));
        let Some(device) = known else { return self.no_such_card(device) };
        if part != 0 {
            return self.say(&format!("switch to partitions #{part}, ERROR\n"), 1);
        }
        self.media.current.insert(StorageInterface::Mmc, device);
        self.say(&format!("switch to partitions #{part}, OK\nmmc{device} is current device\n"), 0)
    }

    fn no_such_card(&self, device: u64) -> i32 {
        let slots = self.media.controllers(StorageInterface::Mmc);
        if slots.iter().any(|&slot| u64::from(slot) == device) {
            return self.say("MMC: no card present\n", 1);
        }
        self.say(&format!("MMC Device {device} not found\nno mmc device at slot {device:x}\n"), 1)
    }

    fn card_info(&self) -> i32 {
        let size = self.media.size;
        let high = if size > STANDARD_CAPACITY { "Yes" } else { "No" };
        let text = format!(
            "Device: {}\nManufacturer ID: 51\nOEM: 5349\nName: SIMMED \nBus Speed: 50000000\nMode: SD High Speed (50MHz)\n\
             Rd Block Len: {}\nSD version 3.0\nHigh Capacity: {high}\nCapacity: {}\nBus Width: 4-bit\n\
             Erase Group Size: 512 Bytes\n",
            node(self.media.current(StorageInterface::Mmc)),
            self.media.sector,
            rough_size(size),
        );
        self.say(&text, 0)
    }

    async fn carry_card(&mut self, way: Way, span: BlockRange) -> i32 {
        if !self.has_card() {
            return self.no_card();
        }
        let verb = if way == Way::Read { "read" } else { "write" };
        self.announce(verb, span.block, span.count);
        self.carry(StorageInterface::Mmc, way, span).await
    }

    fn announce(&self, verb: &str, block: u64, count: u64) {
        let device = self.media.current(StorageInterface::Mmc);
        self.print(&format!("\nMMC {verb}: dev # {device}, block # {block}, count {count} ... "));
    }

    /// The real one does not look whether the blocks are on the card.
    async fn erase_card(&mut self, block: u64, count: u64) -> i32 {
        if !self.has_card() {
            return self.no_card();
        }
        self.announce("erase", block, count);
        let sector = self.media.sector;
        self.media.cache.forget(StorageInterface::Mmc, self.media.current(StorageInterface::Mmc));
        let end = block.saturating_add(count).min(self.media.blocks());
        for block in (block..end).step_by(2048) {
            let bytes = vec![ERASED; (2048.min(end - block) * sector) as usize];
            match self.write_medium(block * sector, bytes).await {
                Ok(()) => {}
                Err(_) if self.leave.is_some() => return 1,
                Err(_) => return self.say("0 blocks erased: ERROR\n", 1),
            }
        }
        self.say(&format!("{count} blocks erased: OK\n"), 0)
    }
}
