//! The medium as U-Boot reaches it: by `mmc`, `virtio`, `nvme` and their like, on the file that Linux uses too.

mod block;
mod cache;
mod disk;
mod gzip;
pub(super) mod known;
mod mmc;
mod part;
mod table;
mod transfer;
mod usb_gadget;

use super::state::UBoot;
use crate::storage_interface::StorageInterface;

impl UBoot<'_> {
    /// What the banner says of SD cards and eMMC.
    pub(super) fn mmc_of_banner(&self) -> String {
        let devices = self.media.controllers(StorageInterface::Mmc).iter().rev();
        let names: Vec<String> = devices.map(|&device| format!("{}: {device}", mmc::node(device))).collect();
        if names.is_empty() { String::new() } else { format!("MMC:   {}\n", names.join(", ")) }
    }

    /// A command on media: `name` is an interface's, or `part`, `gzwrite`, `unzip`, `blkcache`.
    pub(super) async fn media_command(&mut self, name: &str, arguments: &[&str]) -> i32 {
        match (StorageInterface::named(name), name) {
            (Some(StorageInterface::Mmc), _) => self.mmc(arguments).await,
            (Some(interface), _) => self.block(interface, arguments).await,
            (None, "part") => self.part(arguments).await,
            (None, "gzwrite") => self.gzwrite(arguments).await,
            (None, "unzip") => self.unzip(arguments).await,
            _ => self.blkcache(arguments),
        }
    }

    fn blkcache(&mut self, arguments: &[&str]) -> i32 {
        match arguments {
            ["show"] => {
                let said = self.media.cache.show();
                self.say(&said, 0)
            }
            ["configure", blocks, entries] => {
                let (blocks, entries) = (number(blocks), number(entries));
                self.media.cache.configure(blocks, entries);
                self.say(&format!("changed to max of {entries} entries of {blocks} blocks each\n"), 0)
            }
            _ => self.usage("blkcache"),
        }
    }
}

/// A number that is decimal unless it says otherwise (`simple_strtoul` with base 0).
fn number(text: &str) -> u64 {
    if text.starts_with("0x") { super::memory::hextoul(text) } else { super::memory::dectoul(text) }
}
