//! The boards that QEMU emulates in a demo: what each needs of this machine, and what its boot loader calls the medium.

use crate::host::Need;

/// An emulated board.
#[derive(Clone, Copy, Debug)]
pub(super) struct EmulatedBoard {
    /// The `model` of a `qemu-board`.
    pub(super) model: &'static str,
    /// How its medium is attached.
    pub(super) disk: &'static str,
    /// What U-Boot calls the medium.
    pub(super) device: &'static str,
    /// Its boot loader lies on the medium.
    pub(super) medium_holds_bootloader: bool,
    /// The bundle with its Linux, by its name in the folder of the bundles; none where none can be built.
    pub(super) bundle: Option<&'static str>,
    pub(super) needs: [Need; 2],
}

pub(super) const ARM64: EmulatedBoard = EmulatedBoard {
    model: "arm64",
    disk: "virtio",
    device: "virtio 0",
    medium_holds_bootloader: false,
    bundle: Some("qemu-virt"),
    needs: [
        Need { name: "qemu-system-aarch64", package: "qemu-system-arm" },
        Need { name: "/usr/lib/u-boot/qemu_arm64/u-boot.bin", package: "u-boot-qemu" },
    ],
};

pub(super) const ARMHF: EmulatedBoard = EmulatedBoard {
    model: "armhf",
    bundle: Some("qemu-armhf"),
    needs: [
        Need { name: "qemu-system-arm", package: "qemu-system-arm" },
        Need { name: "/usr/lib/u-boot/qemu_arm/u-boot.bin", package: "u-boot-qemu" },
    ],
    ..ARM64
};

pub(super) const RISCV64: EmulatedBoard = EmulatedBoard {
    model: "riscv64",
    bundle: None,
    needs: [
        Need { name: "qemu-system-riscv64", package: "qemu-system-misc" },
        Need { name: "/usr/lib/u-boot/qemu-riscv64_smode/uboot.elf", package: "u-boot-qemu" },
    ],
    ..ARM64
};

pub(super) const X86_64: EmulatedBoard = EmulatedBoard {
    model: "x86_64",
    disk: "nvme",
    device: "nvme 0",
    bundle: Some("qemu-x86_64"),
    needs: [
        Need { name: "qemu-system-x86_64", package: "qemu-system-x86" },
        Need { name: "/usr/lib/u-boot/qemu-x86_64/u-boot.rom", package: "u-boot-qemu" },
    ],
    ..ARM64
};

pub(super) const ORANGEPI: EmulatedBoard = EmulatedBoard {
    model: "orangepi-pc",
    disk: "sd",
    device: "mmc 0",
    medium_holds_bootloader: true,
    bundle: Some("qemu-orangepi"),
    needs: [
        Need { name: "qemu-system-arm", package: "qemu-system-arm" },
        Need {
            name: "/usr/lib/u-boot/orangepi_zero/u-boot-sunxi-with-spl.bin",
            package: "u-boot-sunxi:armhf",
        },
    ],
};
