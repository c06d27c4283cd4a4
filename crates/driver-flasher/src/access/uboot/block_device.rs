//! What U-Boot calls a block device, and the commands for it (cmd/mmc.c, cmd/virtio.c, cmd/nvme.c, cmd/blk_common.c, cmd/usb.c,
//! cmd/sata.c, cmd/ide.c of U-Boot).

use std::fmt;
use std::str::FromStr;

use flasher_core::{Error, suggest};

/// A kind of block device that U-Boot has a command for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interface {
    Mmc,
    Nvme,
    Virtio,
    Scsi,
    Usb,
    Sata,
    Ide,
}

/// All interfaces, with the command of each.
const INTERFACES: [(&str, Interface); 7] = [
    ("mmc", Interface::Mmc),
    ("nvme", Interface::Nvme),
    ("virtio", Interface::Virtio),
    ("scsi", Interface::Scsi),
    ("usb", Interface::Usb),
    ("sata", Interface::Sata),
    ("ide", Interface::Ide),
];

/// A block device as U-Boot knows it: `mmc 1`, `nvme 0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockDevice {
    pub(super) interface: Interface,
    number: u32,
}

impl Interface {
    /// Its command.
    pub(super) fn command(self) -> &'static str {
        INTERFACES.iter().find(|(_, interface)| *interface == self).map_or("", |(name, _)| name)
    }

    /// The command that looks for devices of this kind, where one has to.
    pub(super) fn search(self) -> Option<&'static str> {
        match self {
            Self::Mmc => None,
            Self::Nvme => Some("nvme scan"),
            Self::Virtio => Some("virtio scan"),
            Self::Scsi => Some("scsi scan"),
            Self::Usb => Some("usb start"),
            Self::Sata => Some("sata init"),
            Self::Ide => Some("ide reset"),
        }
    }
}

impl BlockDevice {
    /// The command that makes it the one which is read and written.
    pub(super) fn select(self) -> String {
        format!("{} dev {}", self.interface.command(), self.number)
    }
}

impl fmt::Display for BlockDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.interface.command(), self.number)
    }
}

impl FromStr for BlockDevice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |hint: String| {
            Error::config(format!("`{text}` is no block device of U-Boot"))
                .help(format!("{hint}give an interface and a number, for example `mmc 1` or `nvme 0`"))
        };
        let (name, number) = text.trim().split_once(' ').ok_or_else(|| wrong(String::new()))?;
        let found = INTERFACES.iter().find(|(known, _)| *known == name);
        let Some((_, interface)) = found else {
            let names = INTERFACES.map(|(name, _)| name);
            return Err(wrong(format!("`{name}` is none of {}; ", suggest::list(names.to_vec()))));
        };
        let number = number.trim();
        let digits = (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        match number.parse().ok().filter(|_| digits) {
            Some(number) => Ok(Self { interface: *interface, number }),
            None => Err(wrong(String::new())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_an_interface_and_a_number() {
        for text in ["mmc 1", "nvme 0", "virtio 0", "scsi 12", "usb 0", "sata 0", "ide 1"] {
            let device: BlockDevice = text.parse().unwrap();
            assert_eq!(device.to_string(), text);
            assert_eq!(device.select(), text.replace(' ', " dev "));
        }
        let refused = "mmc, /dev/mmcblk0, mmc x, mmc 1; reset, mmc -1, mmc 1234, floppy 0, ,mmc 0 1";
        for text in refused.split(", ") {
            let error = text.parse::<BlockDevice>().unwrap_err();
            assert_eq!(error.cause(), format!("`{text}` is no block device of U-Boot"));
        }
    }
}
