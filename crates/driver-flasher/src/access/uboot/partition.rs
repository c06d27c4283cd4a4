//! A partition by its label, as U-Boot reads the GUID partition table (`part list`, cmd/part.c and disk/part_efi.c).

use std::time::Duration;

use board_console::quote;
use flasher_core::{Class, Error, Result, RootCause};

use super::answers;
use super::enter::{BootLoader, Window};

/// Time to read a partition table.
const WITHIN: Duration = Duration::from_secs(30);

/// A partition in a listing: its number, first and last block, label.
type Listed = (u32, u64, u64, String);

/// The name of the partition of `disk` that is labelled `label`: `mmc 1#root`.
///
/// # Errors
/// When there is none or several; the error lists the labels there are.
pub(super) async fn find(loader: &mut BootLoader<'_>, disk: &str, label: &str) -> Result<String> {
    let window = loader.window(disk)?;
    let listing = loader.ask(&format!("part list {disk}"), WITHIN).await?.output;
    let found = partitions(&listing);
    let fitting: Vec<&Listed> = found.iter().filter(|(.., its)| its == label).collect();
    let (number, first, last) = match fitting.as_slice() {
        [(number, first, last, _)] => (*number, *first, *last),
        [] => return Err(wrong(format!("no partition of `{disk}` is labelled `{label}`"), &found)),
        several => {
            let numbers: Vec<String> = several.iter().map(|(number, ..)| number.to_string()).collect();
            let numbers = numbers.join(", ");
            return Err(wrong(
                format!("several partitions of `{disk}` are labelled `{label}`: {numbers}"),
                &found,
            ));
        }
    };
    confirm(loader, disk, label, (number, first, last)).await?;
    let (start, end) =
        (first.saturating_mul(window.block), last.saturating_add(1).saturating_mul(window.block));
    if end <= start || end > window.length {
        return Err(wrong(format!("the partition `{label}` does not lie on `{disk}`"), &found));
    }
    let name = format!("{disk}#{label}");
    loader.windows.insert(name.clone(), Window { start, length: end - start, ..window });
    Ok(name)
}

/// Asks for that one partition again: a listing may be garbled on the console, and a wrong partition is another's data.
async fn confirm(
    loader: &mut BootLoader<'_>,
    disk: &str,
    label: &str,
    (number, first, last): (u32, u64, u64),
) -> Result<()> {
    for (what, expected) in [("start", first), ("size", (last - first).saturating_add(1))] {
        let by_number = loader.ask(&format!("part {what} {disk} {number}"), WITHIN).await?;
        let by_label = loader.ask(&format!("part {what} {disk} {}", quote(label)), WITHIN).await?;
        for answer in [by_number, by_label] {
            if answer.status != 0 || answers::blocks(&answer.output) != Some(expected) {
                return Err(Error::new(
                    Class::Board,
                    format!("the boot loader listed the partition `{label}` of `{disk}` and then did not confirm it"),
                )
                .help("the console may garble what the board says; check the serial line"));
            }
        }
    }
    Ok(())
}

/// Refuses partitions that share bytes: an image written to one would undo the proof of another.
pub(super) fn must_be_apart(loader: &BootLoader<'_>, names: &[&str]) -> Result<()> {
    let mut found = Vec::new();
    for name in names {
        let window = loader.window(name)?;
        found.push((window.start, window.start + window.length, *name));
    }
    found.sort_unstable();
    match found.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        Some([one, other]) => Err(Error::new(
            Class::Board,
            format!(
                "the partitions {} and {} share bytes, so only one of them can hold its image",
                one.2, other.2
            ),
        )
        .help("the partition table is wrong; flash an image with a sound one first")
        .retryable(false)),
        _ => Ok(()),
    }
}

/// The lines with a number, the first and the last block, and a label, separated by tabs.
fn partitions(listing: &str) -> Vec<Listed> {
    let one = |line: &str| {
        let mut fields = line.trim().split('\t').filter(|field| !field.is_empty());
        let number = fields.next()?.trim().parse().ok()?;
        let mut hex = || u64::from_str_radix(fields.next()?.trim().strip_prefix("0x")?, 16).ok();
        let (first, last) = (hex()?, hex()?);
        let label = fields.next()?.trim().strip_prefix('"')?.strip_suffix('"')?.to_owned();
        (first <= last).then_some((number, first, last, label))
    };
    listing.lines().filter_map(one).collect()
}

fn wrong(text: String, found: &[Listed]) -> Error {
    let labels = found.iter().map(|(number, .., label)| format!("{number} `{label}`")).collect::<Vec<_>>();
    let labels = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
    Error::new(Class::Board, text).with("partitions", labels).caused_by(RootCause::NoPartition).help(
        "labels are those of a GUID partition table on the chosen target; flash an image with that table first, or check `-t` and `--target`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_as_u_boot_lists_it() {
        let listing = "\nPartition Map for VIRTIO device 0  --   Partition Type: EFI\n\n\
            Part\tStart LBA\tEnd LBA\t\tName\n\tAttributes\n\tType GUID\n\tPartition GUID\n  \
            1\t0x00000800\t0x00007fff\t\"boot\"\n\tattrs:\t0x0000000000000000\n\
            \ttype:\tebd0a0a2-b9e5-4433-87c0-68b6b72699c7\n  \
            2\t0x00008000\t0x0001ffde\t\"root fs\"\n\tguid:\t1";
        let expected = [(1, 0x800, 0x7fff, "boot".to_owned()), (2, 0x8000, 0x1ffde, "root fs".to_owned())];
        assert_eq!(partitions(listing), expected);
        let dos = "Part\tStart Sector\tNum Sectors\tUUID\t\tType\n  1\t2048      \t20480     \t1-01\t83";
        assert_eq!(partitions(dos), []);
    }
}
