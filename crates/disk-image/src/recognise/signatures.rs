//! Marks of what can be on a medium: file systems, volumes and boot containers.

/// Bytes at one of several places that tell what an image is.
pub(super) struct Signature {
    at: &'static [usize],
    mark: &'static [u8],
    /// What it is, with its article.
    pub(super) name: &'static str,
}

impl Signature {
    /// Whether the mark is at one of its places.
    pub(super) fn is_in(&self, head: &[u8]) -> bool {
        self.at.iter().any(|at| head.get(*at..).is_some_and(|rest| rest.starts_with(self.mark)))
    }
}

const fn known(at: &'static [usize], mark: &'static [u8], name: &'static str) -> Signature {
    Signature { at, mark, name }
}

/// Each with the source of its mark where that is not the Linux kernel's `magic.h` or the file system's own header.
pub(super) const KNOWN: &[Signature] = &[
    known(&[0x1_0040], b"_BHRfS_M", "a btrfs file system"),
    known(&[0], b"XFSB", "an XFS file system"),
    known(&[1024], &[0x10, 0x20, 0xf5, 0xf2], "an F2FS file system"),
    known(&[0], b"hsqs", "a squashfs file system"),
    known(&[0], b"sqsh", "a squashfs file system"),
    known(&[1024], &[0xe2, 0xe1, 0xf5, 0xe0], "an EROFS file system"),
    known(&[0x8001], b"CD001", "an ISO 9660 file system"),
    known(&[0x8001, 0x8801], b"BEA01", "a UDF file system"),
    known(&[0], b"UBI#", "a UBI image"),
    known(&[0], &[0x31, 0x18, 0x10, 0x06], "a UBIFS file system"),
    known(&[0], &[0x45, 0x3d, 0xcd, 0x28], "a cramfs file system"),
    known(&[0], &[0x28, 0xcd, 0x3d, 0x45], "a cramfs file system"),
    known(&[0], b"-rom1fs-", "a romfs file system"),
    known(&[8], b"littlefs", "a littlefs file system"),
    known(&[0x1_0034], b"ReIsEr", "a ReiserFS file system"),
    known(&[0x8000], b"JFS1", "a JFS file system"),
    known(&[1024], b"H+\0\x04", "an HFS+ file system"),
    known(&[1024], b"HX\0\x05", "an HFS+ file system"),
    known(&[32], b"NXSB", "an APFS container"),
    known(&[0x1018], &[0xc6, 0x85, 0x73, 0xf6], "a bcachefs or bcache device"),
    known(&[0x218, 0x18, 0x418, 0x618], b"LVM2 001", "an LVM volume"),
    known(&[0], b"LUKS\xba\xbe", "a LUKS volume"),
    known(&[4086, 16_374, 65_526], b"SWAPSPACE2", "a swap area"),
    known(&[0, 4096], &[0xfc, 0x4e, 0x2b, 0xa9], "a RAID member"),
    known(&[0], b"verity\0\0", "a dm-verity hash tree"),
    known(&[0], b"integrt\0", "a dm-integrity volume"),
    known(&[4096, 8192], b"gDla", "an Android super partition"), // AOSP liblp, metadata_format.h
    known(&[512], b"PM\0\0", "an Apple partition map"),
    known(&[512], &[0x57, 0x45, 0x56, 0x82], "a BSD disk label"),
    known(&[0], &[0x0b, 0xe5, 0xa9, 0x41], "an SGI disk label"),
    known(&[508], &[0xda, 0xbe], "a Sun disk label"),
    known(&[0], b"RDSK", "an Amiga rigid disk block"),
    known(&[0], &[0xd0, 0x0d, 0xfe, 0xed], "a FIT or device tree"),
    known(&[0], &[0x27, 0x05, 0x19, 0x56], "a U-Boot legacy image (uImage)"),
    known(&[0], b"ANDROID!", "an Android boot image"),
    known(&[0], b"VNDRBOOT", "an Android vendor boot image"),
    known(&[0], b"AVB0", "an Android vbmeta image"),
    known(&[0], b"CHROMEOS", "a ChromeOS kernel"),
    known(&[4, 0x2004, 0x2_0004], b"eGON.BT0", "an Allwinner boot image"), // linux-sunxi.org/EGON
    known(&[0, 0x2000, 0x2_0000], b"TOC0.GLH", "an Allwinner boot image"),
    known(&[0, 0x8000], b"RKNS", "a Rockchip boot image"), // U-Boot, tools/rkcommon.c
    known(&[0, 0x8000], &[0x3b, 0x8c, 0xdc, 0xfc, 0xbe, 0x9f, 0x9d, 0x51], "a Rockchip boot image"),
    known(&[0x14, 0x2_0014], b"CHSETTINGS", "a TI boot image"), // AM335x TRM, 26.1.11
    known(&[0x10, 0x210], b"@AML", "an Amlogic boot image"),
    known(&[0x24], b"XNLX", "a Xilinx boot image"), // Zynq-7000 TRM (UG585), table 6-5
    known(&[0], b"STM2", "an STM32MP boot image"),
    known(&[0], b"EMMC_BOOT\0", "a MediaTek boot image"),
    known(&[0], b"SDMMC_BOOT\0", "a MediaTek boot image"),
    known(&[0], b"UFS_BOOT\0", "a MediaTek boot image"),
    known(&[0], b"MMM\x01", "a MediaTek boot image"),
    known(&[0], &[0x01, 0x00, 0x64, 0xaa], "a firmware package of Trusted Firmware (FIP)"),
    known(&[0], b"HDR0", "a TRX firmware image"),
    known(&[0], b"LARCHIVE", "a coreboot image"),
    known(&[40], b"_FVH", "a UEFI firmware volume"),
    known(&[0], b"OPTE", "an OP-TEE image"),
    known(&[56], b"ARM\x64", "an arm64 Linux kernel"), // Documentation/arch/arm64/booting.rst
    known(&[56], b"RSC\x05", "a RISC-V Linux kernel"), // Documentation/arch/riscv/boot-image-header.rst
    known(&[48], b"RISCV\0\0\0", "a RISC-V Linux kernel"),
    known(&[36], &[0x18, 0x28, 0x6f, 0x01], "an ARM Linux kernel (zImage)"),
    known(&[514], b"HdrS", "an x86 Linux kernel"), // Documentation/arch/x86/boot.rst
];
