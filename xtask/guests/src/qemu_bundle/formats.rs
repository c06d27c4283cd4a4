//! U-Boot's own file formats, made by mkimage without time stamps.

use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask_support::programs::output;

/// Kernel, RAM disk, no device tree: QEMU makes that, and U-Boot hands it on.
/// CRC-32 because an emulated board takes seconds for SHA-256.
const FIT: &str = r#"/dts-v1/;
/ {
    description = "flashboard for QEMU virt";
    #address-cells = <1>;
    images {
        kernel {
            data = /incbin/("@KERNEL@");
            type = "kernel";
            arch = "arm64";
            os = "linux";
            compression = "none";
            load = <0x40400000>;
            entry = <0x40400000>;
            hash-1 { algo = "crc32"; };
        };
        ramdisk {
            data = /incbin/("@RAMDISK@");
            type = "ramdisk";
            arch = "arm64";
            os = "linux";
            compression = "none";
            hash-1 { algo = "crc32"; };
        };
    };
    configurations {
        default = "conf-1";
        conf-1 {
            kernel = "kernel";
            ramdisk = "ramdisk";
        };
    };
};
"#;

/// Wraps a RAM disk into the legacy image format (U-Boot `include/image.h`).
pub(super) fn uimage(ramdisk: &Path, to: &Path) -> Result<()> {
    let mut command = mkimage();
    command.args(["-A", "arm64", "-O", "linux", "-T", "ramdisk", "-C", "none", "-n", "flashboard", "-d"]);
    output(command.arg(ramdisk).arg(to)).map(|_| ())
}

/// Packs kernel and RAM disk into one FIT file; `work` is a folder for its source.
pub(super) fn fit(kernel: &Path, ramdisk: &Path, work: &Path, to: &Path) -> Result<()> {
    let source = work.join("flashboard.its");
    let text =
        FIT.replace("@KERNEL@", &kernel.to_string_lossy()).replace("@RAMDISK@", &ramdisk.to_string_lossy());
    fs::write(&source, text).with_context(|| format!("cannot write {}", source.display()))?;
    output(mkimage().arg("-f").arg(&source).arg(to)).map(|_| ())
}

/// SOURCE_DATE_EPOCH: seconds since 1970 that mkimage writes instead of the time of day.
fn mkimage() -> Command {
    let mut command = Command::new("mkimage");
    command.env("SOURCE_DATE_EPOCH", "0");
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use xtask_support::programs::has_program;

    #[test]
    fn both_formats_are_reproducible() {
        if !has_program("mkimage") || !has_program("dtc") {
            println!("skipped: no mkimage or no dtc on this machine");
            return;
        }
        let build = || {
            let tree = tempfile::tempdir().unwrap();
            let [kernel, ramdisk, wrapped, packed] =
                ["Image", "initramfs", "uimage", "itb"].map(|it| tree.path().join(it));
            fs::write(&kernel, "kernel").unwrap();
            fs::write(&ramdisk, "ramdisk").unwrap();
            uimage(&ramdisk, &wrapped).unwrap();
            fit(&kernel, &ramdisk, tree.path(), &packed).unwrap();
            (fs::read(wrapped).unwrap(), fs::read(packed).unwrap())
        };
        let (wrapped, packed) = build();
        assert_eq!(wrapped[..4], [0x27, 0x05, 0x19, 0x56], "IH_MAGIC of include/image.h");
        assert_eq!(&wrapped[64..], b"ramdisk");
        assert_eq!(packed[..4], [0xd0, 0x0d, 0xfe, 0xed], "magic of the devicetree specification, 5.2");
        assert_eq!(build(), (wrapped, packed));
    }
}
