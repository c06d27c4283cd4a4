//! Block devices as the board's Linux sees them.

use std::collections::BTreeMap;

use board_console::quote;
use flasher_core::{Class, Error, Result, RootCause};

use super::guest::Guest;
use crate::access::Identity;

/// A manifest value that names a device by its controller's address.
const BY_ADDRESS: &str = "/sys/class/block#";

/// The device of a manifest's target, which may be a controller's address: it is there and not in use.
pub(super) async fn disk(guest: &mut Guest<'_>, target: &str) -> Result<String> {
    let device = match target.strip_prefix(BY_ADDRESS) {
        Some(address) => by_address(guest, address).await?,
        None => target.to_owned(),
    };
    must_be_block_device(guest, &device).await?;
    must_be_unused(guest, &device).await?;
    Ok(device)
}

/// What is known of `device`, which is `disk` or a partition of it.
pub(super) async fn identify(guest: &mut Guest<'_>, disk: &str, device: &str) -> Result<Identity> {
    must_be_block_device(guest, device).await?;
    let size = size(guest, device).await?;
    let facts = identity(guest, disk).await?;
    let direct = is_direct(guest, device).await?;
    Ok(Identity { size, facts, direct })
}

/// Bytes of the device's sectors, as the board tells them.
pub(super) async fn sector_size(guest: &mut Guest<'_>, device: &str) -> Result<Option<u64>> {
    let name = device.rsplit('/').next().unwrap_or(device);
    let (device, name) = (quote(device), quote(name));
    let command = format!(
        "blockdev --getss {device} 2>/dev/null || cat /sys/class/block/{name}/queue/logical_block_size 2>/dev/null || true"
    );
    let text = guest.check(&command).await?;
    Ok(text.lines().rev().find_map(|line| line.trim().parse().ok()))
}

/// The whole disk behind a controller address; boot and RPMB areas of an eMMC are not meant.
async fn by_address(guest: &mut Guest<'_>, address: &str) -> Result<String> {
    let listing = guest.check("ls -l /sys/class/block/").await?;
    let found = disks_at(&listing, address);
    match found.as_slice() {
        [only] => Ok(format!("/dev/{only}")),
        [] => Err(missing(format!("no block device at the controller `{address}`"), &listing)),
        several => Err(missing(
            format!("several block devices at the controller `{address}`: {}", several.join(", ")),
            &listing,
        )
        .retryable(false)),
    }
}

fn missing(text: String, listing: &str) -> Error {
    Error::new(Class::Board, text)
        .with(
            "devices",
            listing
                .lines()
                .filter_map(|line| line.split_once(" -> "))
                .map(|(_, to)| to.trim())
                .collect::<Vec<_>>()
                .join(", "),
        )
        .help("is the medium in its slot, and is the address in the manifest's `targets` right?")
        .caused_by(RootCause::NoMedium)
}

/// Names of whole disks whose link goes through `address`.
fn disks_at(listing: &str, address: &str) -> Vec<String> {
    let links = listing.lines().filter_map(|line| line.trim_end().split_once(" -> ")).map(|(_, link)| link);
    let disks = links.filter(|link| link.contains(address)).filter_map(|link| {
        let (parents, name) = link.rsplit_once('/')?;
        let is_whole = parents.ends_with("/block") && !name.contains("boot") && !name.contains("rpmb");
        is_whole.then(|| name.to_owned())
    });
    disks.collect()
}

async fn must_be_block_device(guest: &mut Guest<'_>, device: &str) -> Result<()> {
    let test = format!("test -b {}", quote(device));
    let output = guest.run(&test).await?;
    if output.status == 0 {
        return Ok(());
    }
    let there = guest.check("ls /sys/class/block").await.unwrap_or_default();
    Err(Error::new(Class::Board, format!("the target `{device}` is no block device on this board"))
        .with("block devices", there.split_whitespace().collect::<Vec<_>>().join(" "))
        .help("check `targets` in the manifest, `--target`, and whether the medium is in its slot")
        .caused_by(RootCause::NoMedium))
}

async fn must_be_unused(guest: &mut Guest<'_>, device: &str) -> Result<()> {
    let search = format!("grep ^{} /proc/mounts", quote(device));
    let output = guest.run(&search).await?;
    if output.status != 0 {
        return Ok(());
    }
    Err(Error::new(Class::Board, format!("the target `{device}` is mounted on the board"))
        .with("mounts", output.text.trim().to_owned())
        .help("the small Linux must not use the medium it is to write; check the bundle's initramfs")
        .caused_by(RootCause::MediumInUse)
        .retryable(false))
}

async fn size(guest: &mut Guest<'_>, device: &str) -> Result<u64> {
    let name = device.rsplit('/').next().unwrap_or(device);
    let command = format!(
        "blockdev --getsize64 {} 2>/dev/null || echo $(($(cat /sys/class/block/{}/size) * 512))",
        quote(device),
        quote(name)
    );
    let text = guest.check(&command).await?;
    let number = text.lines().rev().find_map(|line| line.trim().parse::<u64>().ok()).filter(|size| *size > 0);
    number.ok_or_else(|| {
        Error::new(
            Class::Board,
            format!("the size of `{device}` is unknown: the board says `{}`", text.trim()),
        )
        .help("is a medium in the slot?")
        .caused_by(RootCause::NoMedium)
    })
}

/// Asks as the script does before it writes.
async fn is_direct(guest: &mut Guest<'_>, device: &str) -> Result<bool> {
    let test = format!("dd if={} of=/dev/null bs=65536 count=1 iflag=direct 2>/dev/null", quote(device));
    let output = guest.run(&test).await?;
    Ok(output.status == 0)
}

/// Whatever tells one medium from another; boards differ in what they know.
async fn identity(guest: &mut Guest<'_>, device: &str) -> Result<BTreeMap<String, String>> {
    let name = quote(device.rsplit('/').next().unwrap_or(device));
    let command = format!(
        "for k in vendor model name serial cid wwid life_time pre_eol_info; do v=$(cat /sys/class/block/{name}/device/$k 2>/dev/null) && echo \"id $k $v\"; done; true"
    );
    let text = guest.check(&command).await?;
    let facts = text.lines().filter_map(|line| line.trim().strip_prefix("id ")?.split_once(' '));
    Ok(facts.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "\
total 0
lrwxrwxrwx 1 root root 0 Jan  1 00:00 loop0 -> ../../devices/virtual/block/loop0
lrwxrwxrwx 1 root root 0 Jan  1 00:00 mmcblk0 -> ../../devices/platform/bus@100000/4f80000.mmc/mmc_host/mmc0/mmc0:0001/block/mmcblk0
lrwxrwxrwx 1 root root 0 Jan  1 00:00 mmcblk0boot0 -> ../../devices/platform/bus@100000/4f80000.mmc/mmc_host/mmc0/mmc0:0001/block/mmcblk0/mmcblk0boot0
lrwxrwxrwx 1 root root 0 Jan  1 00:00 mmcblk0p1 -> ../../devices/platform/bus@100000/4f80000.mmc/mmc_host/mmc0/mmc0:0001/block/mmcblk0/mmcblk0p1
lrwxrwxrwx 1 root root 0 Jan  1 00:00 mmcblk1 -> ../../devices/platform/bus@100000/4fb0000.mmc/mmc_host/mmc1/mmc1:aaaa/block/mmcblk1
";

    #[test]
    fn a_controller_address_names_the_whole_disk_and_nothing_else() {
        let cases = [("4f80000", vec!["mmcblk0"]), ("4fb0000", vec!["mmcblk1"]), ("deadbeef", vec![])];
        for (address, expected) in cases {
            assert_eq!(disks_at(LISTING, address), expected, "{address}");
        }
    }
}
