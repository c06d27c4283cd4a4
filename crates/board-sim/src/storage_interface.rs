//! The interfaces by whose commands a U-Boot reaches a medium.

use schemars::JsonSchema;
use serde::Deserialize;

/// An interface, named as U-Boot's command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StorageInterface {
    /// SD cards and eMMC.
    Mmc,
    /// Disks of a virtual machine.
    Virtio,
    /// NVM Express.
    Nvme,
    /// SCSI disks.
    Scsi,
    /// USB sticks.
    Usb,
    /// Serial ATA disks.
    Sata,
    /// IDE disks.
    Ide,
}

impl StorageInterface {
    const ALL: [Self; 7] =
        [Self::Mmc, Self::Virtio, Self::Nvme, Self::Scsi, Self::Usb, Self::Sata, Self::Ide];

    /// The interface that U-Boot calls `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interface| interface.name() == name)
    }

    /// Its name as a command.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mmc => "mmc",
            Self::Virtio => "virtio",
            Self::Nvme => "nvme",
            Self::Scsi => "scsi",
            Self::Usb => "usb",
            Self::Sata => "sata",
            Self::Ide => "ide",
        }
    }

    /// Its name above a list of partitions.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Mmc => "MMC",
            Self::Virtio => "VirtIO",
            Self::Nvme => "NVMe",
            Self::Scsi => "SCSI",
            Self::Usb => "USB",
            Self::Sata => "SATA",
            Self::Ide => "IDE",
        }
    }

    /// Whether its devices are unknown until a command has looked for them.
    pub(crate) fn needs_scan(self) -> bool {
        matches!(self, Self::Nvme | Self::Scsi | Self::Usb)
    }

    /// What its devices say of themselves.
    pub(crate) fn identity(self, device: u32) -> String {
        match self {
            Self::Virtio => "1af4 VirtIO Block Device".to_owned(),
            Self::Nvme => format!("Vendor: 0x51b0 Rev: 1.0     Prod: SIMMED{device:<14}"),
            Self::Scsi => format!("({device}:0) Vendor: SIM Prod.: SIMMED Rev: 1.0 "),
            Self::Mmc | Self::Usb => "Vendor: SIM      Rev: 1.0  Prod: SIMMED          ".to_owned(),
            Self::Sata | Self::Ide => "Model: SIMMED Firm: 1.0 Ser#: 51b0a2d0".to_owned(),
        }
    }

    /// What kind of disk they say they are.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Mmc | Self::Usb => "Removable Hard Disk",
            _ => "Hard Disk",
        }
    }
}
