//! How a config names a medium of this machine: by something that stays the same when the kernel counts its disks anew.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use flasher_core::Error;

/// Where udev puts names that stay.
const HELP: &str = "name it by a path below `/dev/disk/by-path` or `/dev/disk/by-id`, or as `serial:…`; `ls -l /dev/disk/by-path` shows those there are";
/// How the kernel's own names of disks begin; a number or a letter follows, which it gives anew at each start.
const OF_THE_KERNEL: [&str; 8] = ["sd", "vd", "hd", "nvme", "mmcblk", "nbd", "loop", "zram"];

/// A name of a medium of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeviceName {
    /// A path that leads to a block device.
    Path(PathBuf),
    /// The serial number of the disk, or of the USB device that it is in.
    Serial(String),
    /// The number that the kernel gives a disk when it appears, and never again.
    Diskseq(u64),
}

impl DeviceName {
    /// Whether `text` is meant as a name of a medium of this machine, and not as one of a boot loader.
    pub(crate) fn is_meant_by(text: &str) -> bool {
        text.starts_with('/') || text.starts_with("serial:") || text.starts_with("diskseq:")
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Serial(serial) => write!(f, "serial:{serial}"),
            Self::Diskseq(number) => write!(f, "diskseq:{number}"),
        }
    }
}

impl FromStr for DeviceName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::config(format!("`{text}` {why}")).help(HELP);
        if let Some(serial) = text.strip_prefix("serial:") {
            let serial = serial.trim();
            return match serial.is_empty() {
                true => Err(wrong("names no serial number")),
                false => Ok(Self::Serial(serial.to_owned())),
            };
        }
        if let Some(number) = text.strip_prefix("diskseq:") {
            return number.parse().map(Self::Diskseq).map_err(|_| wrong("is no number of a disk"));
        }
        if is_of_the_kernel(text) {
            return Err(wrong("is a name that the kernel may give another disk at the next start"));
        }
        match text.starts_with('/') {
            true => Ok(Self::Path(text.into())),
            false => Err(wrong("names no medium of this machine")),
        }
    }
}

fn is_of_the_kernel(text: &str) -> bool {
    let Some(name) = text.strip_prefix("/dev/") else { return false };
    OF_THE_KERNEL.iter().filter_map(|prefix| name.strip_prefix(prefix)).any(|rest| {
        let is_count = |rest: &str| !rest.is_empty() && rest.chars().all(|it| it.is_ascii_digit());
        let is_letter = |rest: &str| !rest.is_empty() && rest.chars().all(|it| it.is_ascii_lowercase());
        is_count(rest)
            || (is_letter(rest) && rest.len() <= 2)
            || rest.split_once('n').is_some_and(|(one, two)| is_count(one) && is_count(two))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_stay_are_taken() {
        for text in [
            "/dev/disk/by-path/pci-0000:00:14.0-usb-0:2:1.0-scsi-0:0:0:0",
            "/dev/sdmux-7",
            "serial:0123",
            "diskseq:12",
        ] {
            let name: DeviceName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
            assert!(DeviceName::is_meant_by(text));
        }
        assert!(!DeviceName::is_meant_by("mmc 1"));
    }

    #[test]
    fn names_that_the_kernel_counts_are_refused() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<DeviceName>().unwrap_err();
            assert_eq!((error.to_string(), error.class().exit_code()), (expected.to_owned(), 2));
        };
        for text in ["/dev/sdb", "/dev/sdab", "/dev/mmcblk0", "/dev/nvme0n1", "/dev/loop3"] {
            check(
                text,
                &format!("`{text}` is a name that the kernel may give another disk at the next start"),
            );
        }
        check("serial:", "`serial:` names no serial number");
        check("diskseq:x", "`diskseq:x` is no number of a disk");
        check("mmc 1", "`mmc 1` names no medium of this machine");
    }
}
