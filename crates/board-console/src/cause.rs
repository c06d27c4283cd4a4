//! Why a board did not do what it was asked, as far as its console shows.

use std::fmt;

use flasher_base::root_cause::RootCause;

/// Why a command or a boot failed, as far as the console tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The TFTP server has no such file.
    FileNotFound,
    /// The TFTP server answered with another error (access, options, disk).
    TftpRefused,
    /// The server's address did not answer an ARP request.
    ArpSilent,
    /// A server never answered, or the console does not show whether it did.
    ServerSilent,
    /// A transfer began, and then nothing more came from the server.
    TransferStopped,
    /// No DHCP server answered.
    DhcpSilent,
    /// The Ethernet link did not come up.
    LinkDown,
    /// U-Boot found no usable Ethernet device.
    NoEthernet,
    /// `ipaddr` or `serverip` was not set.
    AddressNotSet,
    /// The load address is in memory that U-Boot protects.
    LoadAddressRefused,
    /// The file at the kernel's address is not a kernel of this architecture.
    BadKernelMagic,
    /// The initial RAM disk is in a format or place U-Boot cannot use.
    BadRamdisk,
    /// The initial RAM disk lies in the memory that the kernel needs.
    RamdiskOverlap,
    /// The image is not of a type that the boot command takes.
    BadImage,
    /// A checksum in an image did not match.
    BadChecksum,
    /// U-Boot could not find memory for an image.
    OutOfMemory,
    /// No usable device tree was given to the kernel.
    NoDeviceTree,
    /// `kernel_comp_addr_r` or `kernel_comp_size` was not set for a compressed kernel.
    NoDecompressionSpace,
    /// U-Boot does not know the command.
    UnknownCommand,
    /// The board is resetting.
    Resetting,
    /// The kernel panicked.
    KernelPanic,
    /// The boot loader started again.
    BootLoaderAgain,
    /// The boot command ended and U-Boot's prompt came back.
    BootReturned,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 23] = [
        Self::FileNotFound,
        Self::TftpRefused,
        Self::ArpSilent,
        Self::ServerSilent,
        Self::TransferStopped,
        Self::DhcpSilent,
        Self::LinkDown,
        Self::NoEthernet,
        Self::AddressNotSet,
        Self::LoadAddressRefused,
        Self::BadKernelMagic,
        Self::BadRamdisk,
        Self::RamdiskOverlap,
        Self::BadImage,
        Self::BadChecksum,
        Self::OutOfMemory,
        Self::NoDeviceTree,
        Self::NoDecompressionSpace,
        Self::UnknownCommand,
        Self::Resetting,
        Self::KernelPanic,
        Self::BootLoaderAgain,
        Self::BootReturned,
    ];

    /// Its name in the manual and for `flasher explain`.
    pub fn code(self) -> &'static str {
        match self {
            Self::FileNotFound => "file-not-found",
            Self::TftpRefused => "tftp-refused",
            Self::ArpSilent => "arp-silent",
            Self::ServerSilent => "server-silent",
            Self::TransferStopped => "transfer-stopped",
            Self::DhcpSilent => "dhcp-silent",
            Self::LinkDown => "link-down",
            Self::NoEthernet => "no-ethernet",
            Self::AddressNotSet => "address-not-set",
            Self::LoadAddressRefused => "load-address-refused",
            Self::BadKernelMagic => "bad-kernel-magic",
            Self::BadRamdisk => "bad-ramdisk",
            Self::RamdiskOverlap => "ramdisk-overlap",
            Self::BadImage => "bad-image",
            Self::BadChecksum => "bad-checksum",
            Self::OutOfMemory => "out-of-memory",
            Self::NoDeviceTree => "no-device-tree",
            Self::NoDecompressionSpace => "no-decompression-space",
            Self::UnknownCommand => "unknown-command",
            Self::Resetting => "resetting",
            Self::KernelPanic => "kernel-panic",
            Self::BootLoaderAgain => "boot-loader-again",
            Self::BootReturned => "boot-returned",
        }
    }

    /// The same among all root causes of a failure.
    pub fn root(self) -> RootCause {
        match self {
            Self::FileNotFound => RootCause::FileNotFound,
            Self::TftpRefused => RootCause::TftpRefused,
            Self::ArpSilent => RootCause::ArpSilent,
            Self::ServerSilent => RootCause::ServerSilent,
            Self::TransferStopped => RootCause::TransferStopped,
            Self::DhcpSilent => RootCause::DhcpSilent,
            Self::LinkDown => RootCause::LinkDown,
            Self::NoEthernet => RootCause::NoEthernet,
            Self::AddressNotSet => RootCause::AddressNotSet,
            Self::LoadAddressRefused => RootCause::LoadAddressRefused,
            Self::BadKernelMagic => RootCause::BadKernelMagic,
            Self::BadRamdisk => RootCause::BadRamdisk,
            Self::RamdiskOverlap => RootCause::RamdiskOverlap,
            Self::BadImage => RootCause::BadImage,
            Self::BadChecksum => RootCause::BadChecksum,
            Self::OutOfMemory => RootCause::OutOfMemory,
            Self::NoDeviceTree => RootCause::NoDeviceTree,
            Self::NoDecompressionSpace => RootCause::NoDecompressionSpace,
            Self::UnknownCommand => RootCause::UnknownCommand,
            Self::Resetting => RootCause::Resetting,
            Self::KernelPanic => RootCause::KernelPanic,
            Self::BootLoaderAgain => RootCause::BootLoaderAgain,
            Self::BootReturned => RootCause::BootReturned,
        }
    }

    /// One sentence a person can act upon.
    fn explanation(self) -> &'static str {
        match self {
            Self::FileNotFound => "the TFTP server has no such file",
            Self::TftpRefused => "the TFTP server refused the transfer",
            Self::ArpSilent => {
                "the server's address does not answer on the board's network; check cable, address and netmask"
            }
            Self::ServerSilent => {
                "the server does not answer; check that it runs, its address and the firewall"
            }
            Self::TransferStopped => {
                "the transfer began and then stopped: nothing more reached the board; check cable, switch and the board's \
                 network interface"
            }
            Self::DhcpSilent => {
                "no DHCP server answers; check the network or give the board a static address"
            }
            Self::LinkDown => "the board's Ethernet link is down; check cable and switch",
            Self::NoEthernet => "U-Boot finds no Ethernet device",
            Self::AddressNotSet => "`ipaddr` or `serverip` is not set in U-Boot",
            Self::LoadAddressRefused => "the load address is in memory that U-Boot protects; choose another",
            Self::BadKernelMagic => "the file at the kernel's address is not a kernel for this processor",
            Self::BadRamdisk => {
                "the initial RAM disk has a wrong format; a raw one needs `ADDRESS:SIZE` in the boot command"
            }
            Self::RamdiskOverlap => "the initial RAM disk overlaps the kernel; load it further away",
            Self::BadImage => "the image is of a type that the boot command does not take",
            Self::BadChecksum => "a checksum in the image does not match",
            Self::OutOfMemory => "U-Boot has no memory for the image at that place",
            Self::NoDeviceTree => "the kernel was given no usable device tree",
            Self::NoDecompressionSpace => {
                "`kernel_comp_addr_r` and `kernel_comp_size` must be set for a compressed kernel"
            }
            Self::UnknownCommand => "this U-Boot does not have the command",
            Self::Resetting => "the board is resetting",
            Self::KernelPanic => "the kernel panicked",
            Self::BootLoaderAgain => "the board fell back into its boot loader",
            Self::BootReturned => "the boot command ended without starting a kernel",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explanation())
    }
}

#[cfg(test)]
mod tests {
    use super::Cause;

    #[test]
    fn the_list_has_every_cause_once() {
        // Numbers of variants count up from 0, and the last one has the highest.
        let numbers: Vec<usize> = Cause::ALL.iter().map(|&cause| cause as usize).collect();
        assert_eq!(numbers, (0..=Cause::BootReturned as usize).collect::<Vec<_>>());
    }
}
