//! What this machine uses is never written: file systems that are mounted, swap space, and what volumes or RAID are built on.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use flasher_core::{Error, Result, RootCause};

use super::sysfs::{HostDisk, disks_below, holders, refused};

/// A mount as the kernel lists it (proc_pid_mountinfo(5)).
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    number: (u32, u32),
    place: String,
    source: String,
}

/// Refuses a disk that this machine uses. Blocks.
///
/// # Errors
/// What uses it, and how to free it.
pub(super) fn must_be_unused(disk: &HostDisk) -> Result<()> {
    let list = fs::read_to_string("/proc/self/mountinfo").map_err(|error| unknown("mounts", &error))?;
    for mount in list.lines().filter_map(mount) {
        let of_source = number(&mount.source);
        let is_on = |number| disks_below(number).contains(&disk.name);
        if is_on(mount.number) || of_source.is_some_and(is_on) {
            return Err(mounted(disk, &mount.place));
        }
    }
    let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
    let mut swaps = swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    if swaps.any(|path| number(path).is_some_and(|number| disks_below(number).contains(&disk.name))) {
        return Err(used(
            disk,
            "holds swap space that this machine uses",
            "`swapoff` it, if it is the board's medium",
        ));
    }
    match holders(disk).as_slice() {
        [] => Ok(()),
        holders => {
            let text = format!(
                "is held by `{}`: a volume, RAID or encryption on it is active",
                holders.join("`, `")
            );
            Err(used(
                disk,
                &text,
                "deactivate it (`vgchange -an`, `mdadm --stop`, `cryptsetup close`), if it is the board's medium",
            ))
        }
    }
}

fn mounted(disk: &HostDisk, place: &str) -> Error {
    match place {
        "/" => {
            used(disk, "holds the root file system of this machine", "name the board's medium in `targets`")
        }
        _ => used(
            disk,
            &format!("has a file system that is mounted at `{place}`"),
            "unmount it, if it is the board's medium, and keep this machine from mounting it by itself",
        ),
    }
}

fn used(disk: &HostDisk, what: &str, help: &str) -> Error {
    refused(RootCause::MediumInUse, format!("`{}` {what}", disk.node.display())).help(help.to_owned())
}

fn unknown(what: &str, error: &std::io::Error) -> Error {
    refused(RootCause::Unknown, format!("the {what} of this machine cannot be read: {error}"))
        .help("without them no medium of this machine is written")
}

/// The number of a block device by its path; none for whatever is no block device.
fn number(path: &str) -> Option<(u32, u32)> {
    let about = fs::metadata(path).ok().filter(|about| about.file_type().is_block_device())?;
    Some((rustix::fs::major(about.rdev()), rustix::fs::minor(about.rdev())))
}

fn mount(line: &str) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let mut words = front.split(' ').skip(2);
    let (major, minor) = words.next()?.split_once(':')?;
    let place = words.nth(1)?;
    let source = back.split(' ').nth(1)?;
    Some(Mount {
        number: (major.parse().ok()?, minor.parse().ok()?),
        place: unescaped(place),
        source: unescaped(source),
    })
}

/// Spaces and their like are written as `\040`.
fn unescaped(text: &str) -> String {
    let known = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    known.iter().fold(text.to_owned(), |text, (code, char)| text.replace(code, char))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_as_the_kernel_lists_them() {
        let check = |line: &str, number, place: &str, source: &str| {
            let expected = Mount { number, place: place.to_owned(), source: source.to_owned() };
            assert_eq!(mount(line), Some(expected));
        };
        check("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw", (254, 0), "/", "/dev/vda");
        check(
            "36 35 8:17 / /media/my\\040card rw shared:7 master:1 - vfat /dev/sdb1 rw",
            (8, 17),
            "/media/my card",
            "/dev/sdb1",
        );
        check("40 27 0:42 /@home /home rw - btrfs /dev/mapper/a-b rw", (0, 42), "/home", "/dev/mapper/a-b");
        assert_eq!(mount("nonsense"), None);
    }
}
