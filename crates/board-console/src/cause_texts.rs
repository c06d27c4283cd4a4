//! Causes recognised by what a boot loader or a kernel prints.
//!
//! The texts are U-Boot's own (net/tftp.c, net/arp.c, net/bootp.c, net/eth-uclass.c, boot/image*.c, boot/bootm.c,
//! arch/arm/lib/image.c, common/hash.c, common/main.c) and Linux's (kernel/panic.c).

use crate::cause::Cause;
use crate::pattern::Pattern;

impl Cause {
    /// The first cause that U-Boot's `output` names.
    ///
    /// Asked again when the output is complete: its beginning can look like another, more general cause.
    pub(crate) fn in_uboot_output(output: &[u8]) -> Option<Self> {
        let found = uboot_fatal().find(output, 0)?;
        match Self::of(&output[found.clone()])? {
            Self::ServerSilent if has_progress(&output[..found.start]) => Some(Self::TransferStopped),
            cause => Some(cause),
        }
    }

    /// The cause that `matched`, a text of [`uboot_fatal`] or [`kernel_fatal`], stands for.
    pub(crate) fn of(matched: &[u8]) -> Option<Self> {
        let mut all = UBOOT.iter().chain(KERNEL);
        all.find(|(text, _)| text.as_bytes() == matched).map(|(_, cause)| *cause)
    }
}

/// Whether a transfer's progress marks are there: U-Boot prints `#` for blocks that came (net/tftp.c).
fn has_progress(output: &[u8]) -> bool {
    const BEGIN: &[u8] = b"Loading: ";
    let begin = output.windows(BEGIN.len()).rposition(|window| window == BEGIN);
    begin.is_some_and(|begin| output[begin..].contains(&b'#'))
}

/// The first row that begins earliest in the output decides, so a longer text may contain a shorter one.
const UBOOT: &[(&str, Cause)] = &[
    ("File not found", Cause::FileNotFound),
    ("TFTP error: trying to overwrite reserved memory", Cause::LoadAddressRefused),
    ("overwrite reserved memory", Cause::LoadAddressRefused),
    ("TFTP error: 'File not found'", Cause::FileNotFound),
    ("TFTP error: 'file not found'", Cause::FileNotFound),
    ("TFTP error:", Cause::TftpRefused),
    ("ARP Retry count exceeded", Cause::ArpSilent),
    ("BOOTP: Retry count exceeded", Cause::DhcpSilent),
    ("Retry time exceeded", Cause::DhcpSilent),
    ("Retry count exceeded", Cause::ServerSilent),
    ("remote end did not respond", Cause::ServerSilent),
    ("auto negotiation to complete......... TIMEOUT", Cause::LinkDown),
    ("TIMEOUT !", Cause::LinkDown),
    (": No link.", Cause::LinkDown),
    ("link down", Cause::LinkDown),
    ("No ethernet found", Cause::NoEthernet),
    ("ERROR: `serverip' not set", Cause::AddressNotSet),
    ("ERROR: `ipaddr' not set", Cause::AddressNotSet),
    ("Bad Linux ARM64 Image magic", Cause::BadKernelMagic),
    ("Bad Linux RISCV Image magic", Cause::BadKernelMagic),
    ("zimage: Bad magic", Cause::BadKernelMagic),
    ("Wrong Ramdisk Image Format", Cause::BadRamdisk),
    ("Ramdisk image is corrupt or invalid", Cause::BadRamdisk),
    ("Ramdisk corrupt", Cause::BadRamdisk),
    ("RD image overlaps OS image", Cause::RamdiskOverlap),
    ("Wrong Image Format", Cause::BadImage),
    ("Wrong Image Type", Cause::BadImage),
    ("can't get kernel image", Cause::BadImage),
    ("Bad Data CRC", Cause::BadChecksum),
    ("Bad Data Hash", Cause::BadChecksum),
    ("Bad hash value", Cause::BadChecksum),
    ("Failed to allocate", Cause::OutOfMemory),
    ("Image too large", Cause::OutOfMemory),
    ("Could not find a valid device tree", Cause::NoDeviceTree),
    ("no cmdline FDT", Cause::NoDeviceTree),
    ("FDT and ATAGS support not compiled in", Cause::NoDeviceTree),
    ("kernel_comp_addr_r or kernel_comp_size is not provided", Cause::NoDecompressionSpace),
    ("Unknown command '", Cause::UnknownCommand),
    ("Must RESET board to recover", Cause::Resetting),
    ("Resetting CPU", Cause::Resetting),
    ("resetting ...", Cause::Resetting),
];

/// A running kernel says far more than U-Boot, and much of it sounds worse than it is.
const KERNEL: &[(&str, Cause)] =
    &[("Kernel panic - not syncing", Cause::KernelPanic), ("resetting ...", Cause::Resetting)];

/// A version line of U-Boot or one of its earlier stages: `U-Boot SPL 2023.01 (…)`.
pub(crate) const BANNER: &str = r"U-Boot (?:SPL |TPL |VPL )?20\d\d\.\d\d";

/// Texts after which a U-Boot command has failed.
pub(crate) fn uboot_fatal() -> Pattern {
    Pattern::any("an error of U-Boot", UBOOT.iter().map(|(text, _)| *text))
}

/// Texts after which a kernel will not come up.
pub(crate) fn kernel_fatal() -> Pattern {
    Pattern::any("a kernel panic", KERNEL.iter().map(|(text, _)| *text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause_of(output: &str) -> Option<Cause> {
        Cause::in_uboot_output(output.as_bytes())
    }

    #[test]
    fn texts_of_u_boot_have_their_cause() {
        for (output, cause) in [
            ("TFTP error: 'File not found' (1)\r\nNot retrying...", Some(Cause::FileNotFound)),
            ("TFTP error: 'Access violation' (2)", Some(Cause::TftpRefused)),
            ("TFTP error: trying to overwrite reserved memory...", Some(Cause::LoadAddressRefused)),
            ("\nARP Retry count exceeded; starting again", Some(Cause::ArpSilent)),
            ("\nRetry count exceeded; starting again", Some(Cause::ServerSilent)),
            ("Loading: T T \nRetry count exceeded; starting again", Some(Cause::ServerSilent)),
            ("Loading: *####\n\t ##T T \nRetry count exceeded; starting again", Some(Cause::TransferStopped)),
            (
                "# a comment\nLoading: *\x08T T \nRetry count exceeded; starting again",
                Some(Cause::ServerSilent),
            ),
            ("BOOTP broadcast 9\r\n\nRetry time exceeded; starting again", Some(Cause::DhcpSilent)),
            ("Waiting for PHY auto negotiation to complete......... TIMEOUT !", Some(Cause::LinkDown)),
            ("Wrong Ramdisk Image Format\nRamdisk image is corrupt or invalid", Some(Cause::BadRamdisk)),
            ("ERROR: RD image overlaps OS image (OS=0x40400000..0x42000000)", Some(Cause::RamdiskOverlap)),
            ("Bad Linux ARM64 Image magic!", Some(Cause::BadKernelMagic)),
            ("Wrong Image Format for bootm command", Some(Cause::BadImage)),
            ("*** ERROR: `serverip' not set", Some(Cause::AddressNotSet)),
            ("Unknown command 'mmc' - try 'help'", Some(Cause::UnknownCommand)),
            ("Bytes transferred = 31457280 (1e00000 hex)", None),
        ] {
            assert_eq!(cause_of(output), cause, "{output}");
        }
    }

    #[test]
    fn every_text_of_the_tables_is_found_as_its_own_cause() {
        for (text, cause) in UBOOT {
            assert_eq!(cause_of(text), Some(*cause), "{text}");
        }
        for (text, cause) in KERNEL {
            let found = kernel_fatal().find(text.as_bytes(), 0).expect(text);
            assert_eq!(Cause::of(&text.as_bytes()[found]), Some(*cause), "{text}");
        }
    }
}
