//! A partition by its label, on the chosen device and nowhere else.

use board_console::quote;
use flasher_core::{Class, Error, Result, RootCause};

use super::guest::Guest;

/// Where the kernel lists block devices, each with its partitions below it
/// (Documentation/ABI/stable/sysfs-block).
const LISTED: &str = "/sys/class/block";

/// The device of the partition of `disk` that is labelled `label`.
///
/// # Errors
/// When there is none or several; the error lists the labels there are.
pub(super) async fn find(guest: &mut Guest<'_>, disk: &str, label: &str) -> Result<String> {
    let listing = guest.check(&list(LISTED, disk)).await?;
    let found = partitions(&listing);
    let fitting: Vec<&str> =
        found.iter().filter(|(_, its)| its == label).map(|(name, _)| name.as_str()).collect();
    match fitting.as_slice() {
        [only] => confirm(guest, disk, only, label).await.map(|()| format!("/dev/{only}")),
        [] => {
            let error = wrong(format!("no partition of `{disk}` is labelled `{label}`"), &found);
            Err(error.retryable(!is_sure(guest, disk, &listing).await?))
        }
        several => {
            let names = several.join(", ");
            let error =
                wrong(format!("several partitions of `{disk}` are labelled `{label}`: {names}"), &found);
            Err(error.retryable(!is_sure(guest, disk, &listing).await?))
        }
    }
}

/// Whether the board says the same again: then the console did not garble it, and another attempt finds nothing else.
async fn is_sure(guest: &mut Guest<'_>, disk: &str, listing: &str) -> Result<bool> {
    let again = guest.check(&list(LISTED, disk)).await?;
    Ok(partitions(&again) == partitions(listing))
}

/// Asks for that one partition again: a listing may be garbled on the console, and a wrong partition is another's data.
async fn confirm(guest: &mut Guest<'_>, disk: &str, name: &str, label: &str) -> Result<()> {
    match guest.run(&same(LISTED, disk, name, label)).await?.status {
        0 => Ok(()),
        _ => Err(Error::new(
            Class::Board,
            format!(
                "the board listed `{name}` as the partition `{label}` of `{disk}` and then did not confirm it"
            ),
        )
        .help("the console may garble what the board says; check the serial line")),
    }
}

/// Refuses partitions that share bytes: an image written to one would undo the proof of another.
///
/// # Errors
/// When two do, or the board does not tell where they are.
pub(super) async fn must_be_apart(guest: &mut Guest<'_>, devices: &[&str]) -> Result<()> {
    let listing = guest.check(&places(LISTED, devices)).await?;
    let mut found = stretches(&listing);
    if found.len() != devices.len() {
        return Err(Error::new(Class::Board, "the board does not tell where its partitions begin and end")
            .with("answer", listing.trim().to_owned())
            .help("flash them one by one"));
    }
    found.sort_by_key(|(_, start, _)| *start);
    match found.windows(2).find(|pair| pair[0].2 > pair[1].1) {
        Some([one, other]) => Err(Error::new(
            Class::Board,
            format!(
                "the partitions {} and {} share bytes, so only one of them can hold its image",
                one.0, other.0
            ),
        )
        .help("the partition table is wrong; flash an image with a sound one first")
        .retryable(false)),
        _ => Ok(()),
    }
}

/// Prints `at NAME START SIZE` for each of the devices, in sectors of 512 bytes.
fn places(listed: &str, devices: &[&str]) -> String {
    let names: Vec<String> = devices.iter().map(|it| quote(it.rsplit('/').next().unwrap_or(it))).collect();
    format!(
        "for n in {}; do echo \"at $n $(cat {listed}/\"$n\"/start) $(cat {listed}/\"$n\"/size)\"; done",
        names.join(" ")
    )
}

/// Name, first sector and the one behind the last of each device in a listing.
fn stretches(listing: &str) -> Vec<(String, u64, u64)> {
    let lines = listing.lines().filter_map(|line| line.trim().strip_prefix("at "));
    let parts = lines.filter_map(|line| {
        let mut words = line.split(' ');
        let (name, start, size) = (words.next()?, words.next()?.parse::<u64>().ok()?, words.next()?);
        Some((name.to_owned(), start, start.checked_add(size.parse().ok()?)?))
    });
    parts.collect()
}

fn wrong(text: String, found: &[(String, String)]) -> Error {
    let labels = found.iter().map(|(name, label)| format!("{name} `{label}`")).collect::<Vec<_>>().join(", ");
    let labels = if labels.is_empty() { "none".to_owned() } else { labels };
    Error::new(Class::Board, text).with("partitions", labels).caused_by(RootCause::NoPartition).help(
        "labels are those of a GUID partition table on the chosen target; flash an image with that table first, or check `-t` and `--target`",
    )
}

/// Sets `n` to the kernel's name of the device, also when it is given by another name.
fn name(listed: &str, disk: &str) -> String {
    let base = quote(disk.rsplit('/').next().unwrap_or(disk));
    format!("n={base}; [ -e {listed}/\"$n\" ] || {{ n=$(readlink -f {}); n=${{n##*/}}; }}", quote(disk))
}

/// Prints `part NAME LABEL` for each partition of `disk`.
fn list(listed: &str, disk: &str) -> String {
    format!(
        "{}; for p in {listed}/\"$n\"/*/partition; do [ -r \"$p\" ] || continue; p=${{p%/partition}}; l=; \
         while IFS= read -r i; do case $i in PARTNAME=*) l=${{i#*=}} ;; esac; done <\"$p/uevent\"; \
         echo \"part ${{p##*/}} $l\"; done",
        name(listed, disk)
    )
}

/// Ends with status 0 when the partition `part` of `disk` has this label.
fn same(listed: &str, disk: &str, part: &str, label: &str) -> String {
    let part = quote(part);
    format!(
        "{}; [ -r {listed}/\"$n\"/{part}/partition ] && grep -Fqx -e {} {listed}/\"$n\"/{part}/uevent",
        name(listed, disk),
        quote(&format!("PARTNAME={label}"))
    )
}

/// Name and label of each partition in a listing. A name that could be more than a name is none.
fn partitions(listing: &str) -> Vec<(String, String)> {
    let lines = listing.lines().filter_map(|line| line.trim_end_matches('\r').strip_prefix("part "));
    let both = lines.filter_map(|line| line.split_once(' ').or(Some((line, ""))));
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    both.filter(|(name, _)| plain(name)).map(|(name, label)| (name.to_owned(), label.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// Two disks as a kernel lists them: `root` is on both, `elsewhere` on the second only.
    fn kernel(folder: &Path) {
        let devices = [
            ("mmcblk0", "mmcblk0p1", "boot"),
            ("mmcblk0", "mmcblk0p2", "root"),
            ("mmcblk0", "mmcblk0p3", "my data = $(id) 'x'"),
            ("mmcblk0", "mmcblk0p4", ""),
            ("mmcblk1", "mmcblk1p1", "root"),
            ("mmcblk1", "mmcblk1p2", "elsewhere"),
        ];
        for (disk, part, label) in devices {
            let place = folder.join(disk).join(part);
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join("partition"), "1\n").unwrap();
            let named = if label.is_empty() { String::new() } else { format!("PARTNAME={label}\n") };
            fs::write(place.join("uevent"), format!("DEVNAME={part}\nDEVTYPE=partition\n{named}")).unwrap();
        }
        // Not a partition, though it lies there.
        fs::create_dir_all(folder.join("mmcblk0/mmcblk0boot0")).unwrap();
    }

    fn sh(command: &str) -> (bool, String) {
        let output = Command::new("sh").args(["-c", command]).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn only_the_chosen_disk_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        kernel(folder.path());
        let listed = folder.path().to_str().unwrap();
        let found = |disk: &str| partitions(&sh(&list(listed, disk)).1);
        let of = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>()
        };
        let first = [
            ("mmcblk0p1", "boot"),
            ("mmcblk0p2", "root"),
            ("mmcblk0p3", "my data = $(id) 'x'"),
            ("mmcblk0p4", ""),
        ];
        assert_eq!(found("/dev/mmcblk0"), of(&first));
        assert_eq!(found("/dev/mmcblk1"), of(&[("mmcblk1p1", "root"), ("mmcblk1p2", "elsewhere")]));
        assert_eq!(found("/dev/nosuch"), []);
        // By another name, as udev gives them.
        let other = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/mmcblk1", other.path().join("by-id")).unwrap();
        let by_id = other.path().join("by-id");
        assert_eq!(found(by_id.to_str().unwrap()), found("/dev/mmcblk1"));
    }

    #[test]
    fn a_label_is_confirmed_on_its_own_disk_only() {
        let folder = tempfile::tempdir().unwrap();
        kernel(folder.path());
        let listed = folder.path().to_str().unwrap();
        for (disk, part, label, expected) in [
            ("/dev/mmcblk0", "mmcblk0p2", "root", true),
            ("/dev/mmcblk0", "mmcblk0p3", "my data = $(id) 'x'", true),
            ("/dev/mmcblk0", "mmcblk0p2", "roo", false),
            ("/dev/mmcblk0", "mmcblk0p2", "r..t", false),
            ("/dev/mmcblk0", "mmcblk1p2", "elsewhere", false),
            ("/dev/mmcblk0", "mmcblk0p4", "", false),
        ] {
            assert_eq!(sh(&same(listed, disk, part, label)).0, expected, "{disk} {part} {label}");
        }
    }

    #[test]
    fn where_partitions_are_is_told_by_the_kernel() {
        let folder = tempfile::tempdir().unwrap();
        kernel(folder.path());
        for (part, start, size) in [("mmcblk0p1", 2048, 4096), ("mmcblk0p2", 6144, 10)] {
            // The kernel lists each partition at the top, too.
            let place = folder.path().join(part);
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join("start"), format!("{start}\n")).unwrap();
            fs::write(place.join("size"), format!("{size}\n")).unwrap();
        }
        let listed = folder.path().to_str().unwrap();
        let told = |devices: &[&str]| stretches(&sh(&places(listed, devices)).1);
        let (first, second) = (("mmcblk0p1".to_owned(), 2048, 6144), ("mmcblk0p2".to_owned(), 6144, 6154));
        assert_eq!(told(&["/dev/mmcblk0p1", "/dev/mmcblk0p2"]), [first.clone(), second]);
        assert_eq!(told(&["/dev/mmcblk0p1", "/dev/mmcblk0p3"]), [first]);
    }

    #[test]
    fn what_is_no_name_of_a_device_is_never_taken_for_one() {
        assert_eq!(partitions("part ../sda1 root\npart sda1;reboot root\npart  root\nparty x y\n"), []);
    }
}
