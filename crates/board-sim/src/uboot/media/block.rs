//! The commands that all interfaces but `mmc` share (cmd/blk_common.c), and what some have of their own.

use super::super::memory::dectoul;
use super::super::state::UBoot;
use super::transfer::{BlockRange, Way};
use crate::size::MIB;
use crate::storage_interface::StorageInterface;

impl UBoot<'_> {
    /// A command of an interface.
    pub(super) async fn block(&mut self, interface: StorageInterface, arguments: &[&str]) -> i32 {
        if let Some(status) = self.own_command(interface, arguments) {
            return status;
        }
        match arguments {
            [word] if word.starts_with("inf") => self.list_devices(interface),
            [word] if word.starts_with("dev") => self.show_current(interface),
            [word, device] if word.starts_with("dev") => self.choose(interface, dectoul(device)),
            [word] if word.starts_with("part") => self.all_tables(interface).await,
            [word, device] if word.starts_with("part") => self.one_table(interface, dectoul(device)).await,
            ["read", rest @ ..] if rest.len() > 1 => self.carry_typed(interface, Way::Read, rest).await,
            ["write", rest @ ..] if rest.len() > 1 => self.carry_typed(interface, Way::Write, rest).await,
            _ => self.usage(interface.name()),
        }
    }

    /// What only one interface knows; none when it is nothing of that kind.
    fn own_command(&mut self, interface: StorageInterface, arguments: &[&str]) -> Option<i32> {
        match (interface, arguments) {
            (StorageInterface::Usb, _) => self.usb(arguments),
            (StorageInterface::Virtio | StorageInterface::Nvme, ["scan"]) => Some(self.scan(interface)),
            (StorageInterface::Nvme, ["detail"]) => Some(self.nvme_detail()),
            (StorageInterface::Scsi, ["scan" | "reset"]) => {
                let reset = if arguments == ["reset"] { "\nReset SCSI\n" } else { "" };
                self.scan(interface);
                self.print(&format!("{reset}scanning bus for devices...\n"));
                Some(self.list(interface, "  Device "))
            }
            (StorageInterface::Sata, ["init"]) => Some(0),
            (StorageInterface::Ide, ["reset"]) => Some(self.say("\nReset IDE: \n", 0)),
            _ => None,
        }
    }

    fn scan(&mut self, interface: StorageInterface) -> i32 {
        self.media.scanned.insert(interface);
        0
    }

    /// The commands of USB (cmd/usb.c); none for those that every interface has.
    fn usb(&mut self, arguments: &[&str]) -> Option<i32> {
        let running = self.media.scanned.contains(&StorageInterface::Usb);
        match arguments {
            ["start"] if running => Some(0),
            ["start"] => Some(self.start_usb("starting USB...\n")),
            ["reset"] => Some(self.start_usb("resetting USB...\n")),
            ["stop", ..] => {
                self.media.scanned.remove(&StorageInterface::Usb);
                Some(self.say("stopping USB..\n", 0))
            }
            _ if !running => Some(self.say("USB is stopped. Please issue 'usb start' first.\n", 1)),
            ["storage"] if self.media.known(StorageInterface::Usb).is_empty() => {
                Some(self.say("No storage devices, perhaps not 'usb start'ed..?\n", 1))
            }
            ["storage"] => Some(self.list(StorageInterface::Usb, "  Device ")),
            _ => None,
        }
    }

    fn start_usb(&mut self, text: &str) -> i32 {
        self.print(text);
        let count = self.media.devices.get(&StorageInterface::Usb).map_or(0, Vec::len);
        if count == 0 {
            return self.say("No working controllers found\n", 0);
        }
        self.scan(StorageInterface::Usb);
        self.say(
            &format!(
                "Bus usb@31100000: USB EHCI 1.00\nscanning bus usb@31100000 for devices... {} USB Device(s) found\n       \
                 scanning usb for storage devices... {count} Storage Device(s) found\n",
                count + 1
            ),
            0,
        )
    }

    fn nvme_detail(&self) -> i32 {
        let device = self.media.current(StorageInterface::Nvme);
        if !self.media.knows(StorageInterface::Nvme, device) {
            return 0;
        }
        let sector = self.media.sector;
        self.say(
            &format!(
                "Blk device {device}: Optional Admin Command Support:\n\tNamespace Management/Attachment: no\n\t\
                 Firmware Commit/Image download: no\n\tFormat NVM: yes\n\tSecurity Send/Receive: no\n\
                 Blk device {device}: Optional NVM Command Support:\n\tReservation: no\n\t\
                 Save/Select field in the Set/Get features: no\n\tWrite Zeroes: yes\n\tDataset Management: yes\n\t\
                 Write Uncorrectable: no\nBlk device {device}: Format NVM Attributes:\n\t\
                 Support Cryptographic Erase: No\n\tSupport erase a particular namespace: No\n\t\
                 Support format a particular namespace: No\nBlk device {device}: LBA Format Support:\n\t\
                 LBA Foramt 0 Support: (current)\n\t\tMetadata Size: 0\n\t\tLBA Data Size: {sector}\n\t\t\
                 Relative Performance: Best\nBlk device {device}: End-to-End DataProtect Capabilities:\n\t\
                 As last eight bytes: No\n\tAs first eight bytes: No\n\tSupport Type3: No\n\tSupport Type2: No\n\t\
                 Support Type1: No\nBlk device {device}: Metadata capabilities:\n\t\
                 As part of a separate buffer: No\n\tAs part of an extended data LBA: No\n"
            ),
            0,
        )
    }

    fn list_devices(&self, interface: StorageInterface) -> i32 {
        self.list(interface, "Device ")
    }

    fn list(&self, interface: StorageInterface, lead: &str) -> i32 {
        for &device in self.media.known(interface) {
            self.print(&format!("{lead}{device}: {}", self.describe_device(interface, device)));
        }
        0
    }

    /// What a device is, and how large (`dev_print`).
    fn describe_device(&self, interface: StorageInterface, device: u32) -> String {
        let (blocks, sector) = (self.media.blocks(), self.media.sector);
        let tenths = u128::from(blocks) * u128::from(sector) * 10 / u128::from(MIB);
        let gib = tenths / 1024;
        format!(
            "{}\n            Type: {}\n            Capacity: {}.{} MB = {}.{} GB ({blocks} x {sector})\n",
            interface.identity(device),
            interface.kind(),
            tenths / 10,
            tenths % 10,
            gib / 10,
            gib % 10,
        )
    }

    fn show_current(&self, interface: StorageInterface) -> i32 {
        let device = self.media.current(interface);
        if !self.media.knows(interface, device) {
            return self.say(&format!("\nno {} devices available\n", interface.name()), 1);
        }
        self.say(&format!("\nIDE device {device}: {}", self.describe_device(interface, device)), 0)
    }

    fn choose(&mut self, interface: StorageInterface, device: u64) -> i32 {
        self.print(&format!("\nDevice {device}: "));
        let known = u32::try_from(device).ok().filter(|&device| self.media.knows(interface, device));
        let Some(device) = known else { return self.say("unknown device\n", 1) };
        self.media.current.insert(interface, device);
        self.say(&format!("{}... is now current device\n", self.describe_device(interface, device)), 0)
    }

    async fn all_tables(&mut self, interface: StorageInterface) -> i32 {
        let devices = self.media.known(interface).to_vec();
        let mut any = false;
        for device in devices {
            any |= self.print_table(interface, device, false).await;
        }
        if any { 0 } else { self.say(&format!("\nno {} partition table available\n", interface.name()), 0) }
    }

    async fn one_table(&mut self, interface: StorageInterface, device: u64) -> i32 {
        let known = u32::try_from(device).ok().filter(|&device| self.media.knows(interface, device));
        let Some(known) = known else {
            return self.say(&format!("\n{} device {device} not available\n", interface.name()), 1);
        };
        self.print_table(interface, known, true).await;
        0
    }

    /// Three arguments are the rule; of two, U-Boot takes the missing count for 0.
    async fn carry_typed(&mut self, interface: StorageInterface, way: Way, arguments: &[&str]) -> i32 {
        let (name, device, span) =
            (interface.name(), self.media.current(interface), BlockRange::typed(arguments));
        let verb = if way == Way::Read { "read" } else { "write" };
        self.print(&format!(
            "\n{name} {verb}: device {device} block # {}, count {} ... ",
            span.block, span.count
        ));
        self.carry(interface, way, span).await
    }
}
