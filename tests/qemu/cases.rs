//! What is played on the emulated board: a line a case.

use board_qemu::DiskKind;
use flasher_core::flash::{Wire, ZerosBy};
use flasher_core::{Class, Step};

/// One flash on the emulated board.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Bundle folder.
    pub(crate) bundle: &'static str,
    /// Target of its manifest.
    pub(crate) target: &'static str,
    pub(crate) disk: DiskKind,
    /// Tool the image is packed with.
    pub(crate) packed: Option<&'static str>,
    /// How it travels.
    pub(crate) wire: Option<Wire>,
    /// How the board must have made its zeros.
    pub(crate) zeros: ZerosBy,
    /// Whether it has 256 MiB, and the disk 512.
    pub(crate) large: bool,
    pub(crate) fault: Fault,
    pub(crate) ends: Ends,
    pub(crate) what: What,
}

/// What is done with the board.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// An image goes onto the whole disk.
    Flash,
    /// The same, and then the disk comes back as a dump.
    Dump,
    /// The board fetches the image from a server and unpacks it by itself.
    Direct,
    /// Two images go to two partitions of a disk that has a table.
    Partitions,
}

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// A fixed address, and no DHCP server.
    StaticAddress,
    PowerCut,
    HttpCut,
    TftpMissing,
    TooLarge,
    WriteError,
    NotInterruptible,
    GarbageEnvironment,
    LinkDown,
    /// Percent of packets lost in each direction.
    Loss(u8),
    KernelNoise,
    BootFails,
    Overlap,
    /// The card tells 64 MiB and holds this many bytes; what lies beyond wraps round or is dropped.
    Counterfeit {
        beyond: &'static str,
        holds: usize,
    },
}

/// How the flash must end.
#[derive(Clone, Copy)]
pub(crate) enum Ends {
    /// Proven, after so many attempts.
    Proven(u32),
    /// In this class and step, with these words in the cause.
    Failed(Class, Step, &'static str),
}

const MIB: usize = 1024 * 1024;
const PLAIN: Case = Case {
    name: "raw image, virtio, raw kernel and initramfs, busybox, DHCP",
    bundle: "qemu-virt",
    target: "virtio",
    disk: DiskKind::Virtio,
    packed: None,
    wire: None,
    zeros: ZerosBy::Written,
    large: false,
    fault: Fault::None,
    ends: Ends::Proven(1),
    what: What::Flash,
};

/// Formats, targets, boot formats, guests, addressing.
pub(crate) const PROVEN: &[Case] = &[
    PLAIN,
    Case { name: "gz image", packed: Some("gzip"), ..PLAIN },
    Case { name: "xz image, nvme", packed: Some("xz"), target: "nvme", disk: DiskKind::Nvme, ..PLAIN },
    Case { name: "zst image, uImage initramfs", packed: Some("zstd"), bundle: "qemu-virt-uimage", ..PLAIN },
    Case { name: "sd card", packed: Some("zstd"), target: "sd", disk: DiskKind::Sd, ..PLAIN },
    Case { name: "FIT", bundle: "qemu-virt-fit", ..PLAIN },
    Case {
        name: "guest with curl, zstd and GNU tools",
        bundle: "qemu-virt-tools",
        zeros: ZerosBy::Zeroout,
        ..PLAIN
    },
    Case { name: "travels as gzip, busybox unpacks it", wire: Some(Wire::Gzip), ..PLAIN },
    Case {
        name: "travels as zstd",
        wire: Some(Wire::Zstd),
        bundle: "qemu-virt-tools",
        zeros: ZerosBy::Zeroout,
        ..PLAIN
    },
    Case {
        name: "256 MiB in xz, 60 % of them zeros: only data travels",
        packed: Some("xz"),
        wire: Some(Wire::Identity),
        large: true,
        ..PLAIN
    },
    Case { name: "dump after a flash, sd card", target: "sd", disk: DiskKind::Sd, what: What::Dump, ..PLAIN },
    Case {
        name: "dump after a flash, guest with curl and GNU tools",
        bundle: "qemu-virt-tools",
        zeros: ZerosBy::Zeroout,
        what: What::Dump,
        ..PLAIN
    },
    Case { name: "fetched and unpacked by the board, xz", packed: Some("xz"), what: What::Direct, ..PLAIN },
    Case {
        name: "fetched and unpacked by the board, zst, curl",
        packed: Some("zstd"),
        bundle: "qemu-virt-tools",
        what: What::Direct,
        ..PLAIN
    },
    Case { name: "two partitions by label", what: What::Partitions, ..PLAIN },
    Case { name: "fixed address, no DHCP", fault: Fault::StaticAddress, ..PLAIN },
];

/// Things that go wrong on a real board.
pub(crate) const FAULTS: &[Case] = &[
    Case {
        name: "power cut while writing, then a retry",
        fault: Fault::PowerCut,
        ends: Ends::Proven(2),
        ..PLAIN
    },
    Case {
        name: "HTTP connection cut",
        fault: Fault::HttpCut,
        ends: Ends::Failed(Class::Infrastructure, Step::Write, "download broke off"),
        ..PLAIN
    },
    Case {
        name: "TFTP file missing",
        fault: Fault::TftpMissing,
        ends: Ends::Failed(Class::Infrastructure, Step::Bootloader, "the TFTP server has no such file"),
        ..PLAIN
    },
    Case {
        name: "image larger than the disk",
        fault: Fault::TooLarge,
        ends: Ends::Failed(Class::Source, Step::Target, "the image is larger than the target"),
        ..PLAIN
    },
    Case {
        name: "target that does not exist",
        target: "sd",
        ends: Ends::Failed(Class::Board, Step::Target, "`/dev/mmcblk0` is no block device on this board"),
        ..PLAIN
    },
    Case {
        name: "I/O error of the medium",
        fault: Fault::WriteError,
        ends: Ends::Failed(Class::Medium, Step::Write, "/dev/vda"),
        ..PLAIN
    },
    Case {
        name: "bootdelay=-2",
        fault: Fault::NotInterruptible,
        ends: Ends::Failed(Class::Board, Step::Bootloader, "cannot be interrupted"),
        ..PLAIN
    },
    Case { name: "environment full of garbage", fault: Fault::GarbageEnvironment, ..PLAIN },
    Case {
        name: "network link down",
        fault: Fault::LinkDown,
        ends: Ends::Failed(Class::Infrastructure, Step::Bootloader, "no address by DHCP"),
        ..PLAIN
    },
    Case { name: "1 % packet loss", fault: Fault::Loss(1), ..PLAIN },
    Case { name: "5 % packet loss", fault: Fault::Loss(5), ..PLAIN },
    Case { name: "kernel messages across the prompt", fault: Fault::KernelNoise, ..PLAIN },
    Case {
        name: "boot command fails and the board resets",
        fault: Fault::BootFails,
        ends: Ends::Failed(Class::Board, Step::Shell, "boot"),
        ..PLAIN
    },
    Case {
        name: "initramfs overlapping the kernel",
        fault: Fault::Overlap,
        ends: Ends::Failed(Class::Config, Step::Plan, "overlap"),
        ..PLAIN
    },
    Case {
        name: "counterfeit card that wraps round at half of what it tells",
        fault: Fault::Counterfeit { beyond: "wrap", holds: 32 * MIB },
        ends: Ends::Failed(Class::Medium, Step::Write, "tells 64 MiB and seems to hold 32 MiB"),
        ..PLAIN
    },
    Case {
        name: "counterfeit card that wraps round at no round distance",
        fault: Fault::Counterfeit { beyond: "wrap", holds: 33 * MIB + 3 * 4096 },
        ends: Ends::Failed(Class::Medium, Step::Verify, "tells 64 MiB and seems to hold 33 MiB"),
        ..PLAIN
    },
    Case {
        name: "counterfeit card, and the image is smaller than what it holds",
        fault: Fault::Counterfeit { beyond: "wrap", holds: 32 * MIB },
        ..PLAIN
    },
];
