//! The boards that can be emulated: what QEMU needs for each, and which Debian packages have it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// A board that can be emulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// QEMU's `virt` for 64-bit Arm.
    #[default]
    Arm64,
    /// QEMU's `virt` for 32-bit Arm.
    Armhf,
    /// QEMU's `virt` for 64-bit RISC-V.
    Riscv64,
    /// QEMU's PC. Its medium should be of kind `nvme`.
    #[serde(rename = "x86_64")]
    X86,
    /// An Orange Pi PC (Allwinner H3). Its boot loader lies on the medium, at 8 KiB: it is put onto a new one.
    OrangepiPc,
}

/// Where the boot loader of a board is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BootLoaderPlace {
    /// QEMU's `-bios`.
    Bios,
    /// QEMU's `-kernel`: the firmware that QEMU brings starts it.
    Kernel,
    /// The board's medium, from this byte on.
    Medium(u64),
}

/// What QEMU needs for a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    /// The emulator, and the package that has it.
    pub(crate) emulator: (&'static str, &'static str),
    /// The boot loader, and the package that has it.
    pub(crate) boot_loader: (&'static str, &'static str),
    pub(crate) place: BootLoaderPlace,
    pub(crate) machine: &'static str,
    /// QEMU's own choice where none is given.
    pub(crate) cpu: Option<&'static str>,
    /// The network card and its options; none where the machine has one of its own, which this names.
    pub(crate) card: Card,
    /// Where virtio disks are plugged in.
    pub(crate) bus: VirtioBus,
    /// Processor cores.
    pub(crate) cores: u8,
}

/// How a virtio device is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VirtioBus {
    Pci,
    /// In the machine's memory.
    Mmio,
}

/// The network card of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Card {
    /// One that is plugged in: device and options.
    Device(&'static str),
    /// One that the machine has: its model.
    BuiltIn(&'static str),
}

/// U-Boot has no memory barrier before it looks whether the device wants a notification of new receive buffers. With event
/// indices it looks once for all its buffers, and when it is too early the board is deaf until it is reset; with flags it looks
/// at each buffer.
const VIRTIO: Card = Card::Device("virtio-net-pci,romfile=,event_idx=off");

impl Model {
    pub(crate) fn profile(self) -> Profile {
        const ARM: Profile = Profile {
            emulator: ("qemu-system-aarch64", "qemu-system-arm"),
            boot_loader: ("/usr/lib/u-boot/qemu_arm64/u-boot.bin", "u-boot-qemu"),
            place: BootLoaderPlace::Bios,
            machine: "virt",
            cpu: Some("cortex-a57"),
            card: VIRTIO,
            bus: VirtioBus::Pci,
            cores: 1,
        };
        match self {
            Self::Arm64 => ARM,
            Self::Armhf => Profile {
                emulator: ("qemu-system-arm", "qemu-system-arm"),
                boot_loader: ("/usr/lib/u-boot/qemu_arm/u-boot.bin", "u-boot-qemu"),
                cpu: Some("cortex-a15"),
                ..ARM
            },
            Self::Riscv64 => Profile {
                emulator: ("qemu-system-riscv64", "qemu-system-misc"),
                boot_loader: ("/usr/lib/u-boot/qemu-riscv64_smode/uboot.elf", "u-boot-qemu"),
                place: BootLoaderPlace::Kernel,
                cpu: None,
                // Its U-Boot has no driver for the PCI bus.
                card: Card::Device("virtio-net-device,event_idx=off"),
                bus: VirtioBus::Mmio,
                ..ARM
            },
            Self::X86 => Profile {
                emulator: ("qemu-system-x86_64", "qemu-system-x86"),
                boot_loader: ("/usr/lib/u-boot/qemu-x86_64/u-boot.rom", "u-boot-qemu"),
                machine: "pc",
                cpu: Some("qemu64"),
                card: Card::Device("e1000,romfile="),
                ..ARM
            },
            Self::OrangepiPc => Profile {
                emulator: ("qemu-system-arm", "qemu-system-arm"),
                boot_loader: (
                    "/usr/lib/u-boot/orangepi_zero/u-boot-sunxi-with-spl.bin",
                    "u-boot-sunxi:armhf",
                ),
                place: BootLoaderPlace::Medium(8 * 1024),
                machine: "orangepi-pc",
                cpu: None,
                card: Card::BuiltIn("allwinner-sun8i-emac"),
                cores: 4,
                ..ARM
            },
        }
    }

    /// Where its emulator is looked for, when the config does not say.
    pub(crate) fn emulator(self) -> PathBuf {
        self.profile().emulator.0.into()
    }
}
