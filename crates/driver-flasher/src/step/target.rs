//! Step 8: the target is one block device, known by its controller, or a partition on it: large enough and not in use.

pub(crate) mod backup;
mod partition;
mod sector;

use std::collections::BTreeMap;
use std::time::Duration;

use board_console::quote;
use flasher_core::flash::{MediumFacts, MediumState};
use flasher_core::{Class, Error, Result};

use super::resolve::Resolved;
use super::shell::Guest;
use crate::config::seconds;
use crate::job::Session;
use crate::piece::Piece;
use crate::trouble;

/// A manifest value that names a device by its controller's address.
const BY_ADDRESS: &str = "/sys/class/block#";

/// The device that will be written.
#[derive(Clone)]
pub(crate) struct Target {
    /// Its path on the board.
    pub(crate) device: String,
    /// Its size, bytes.
    pub(crate) size: u64,
    /// Whether the board reads and writes it around its page cache.
    pub(crate) direct: bool,
    /// Whether its end has the copy of an older partition table.
    pub(crate) old_table: bool,
}

/// Where each image goes: all of them are found before the first is written.
pub(crate) async fn check(
    session: Session<'_>,
    resolved: &Resolved,
    pieces: &[Piece],
    guest: &mut Guest,
) -> Result<Vec<Target>> {
    let within = seconds(session.flasher.config.timeouts.command);
    let disk = disk(session, resolved, guest).await?;
    let mut targets = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        session.run.select(index);
        let mut target = look(session, resolved, &disk, piece.partition.as_deref(), guest).await?;
        if let Some(length) = piece.image.decoded_length() {
            must_fit(length, target.size, &target.device)?;
        }
        sector::must_match(session, piece, &target.device, guest).await?;
        target.old_table = backup::look(session, piece, &target, guest).await?;
        targets.push(target);
    }
    session.run.select(0);
    if targets.len() > 1 {
        let devices: Vec<&str> = targets.iter().map(|target| target.device.as_str()).collect();
        partition::must_be_apart(guest, &devices, within).await?;
    }
    let prepare = &resolved.bundle.manifest().spec.preflash_commands;
    match pieces.iter().any(|piece| piece.partition.is_some()) {
        // Some wipe the partition table.
        true if !prepare.is_empty() => session.run.warn(
            "the manifest's preflash commands prepare a whole device and were not run for its partitions",
        ),
        true => {}
        false => preflash(session, guest, prepare, within).await?,
    }
    Ok(targets)
}

/// The target of a job that reads.
pub(crate) async fn source(
    session: Session<'_>,
    resolved: &Resolved,
    partition: Option<&str>,
    guest: &mut Guest,
) -> Result<Target> {
    let disk = disk(session, resolved, guest).await?;
    look(session, resolved, &disk, partition, guest).await
}

/// The device the job is about; its own commands are run before it is looked for.
async fn disk(session: Session<'_>, resolved: &Resolved, guest: &mut Guest) -> Result<String> {
    let within = seconds(session.flasher.config.timeouts.command);
    preflash(session, guest, &session.job.preflash, within).await?;
    let device = match resolved.device.strip_prefix(BY_ADDRESS) {
        Some(address) => by_address(guest, address, within).await?,
        None => resolved.device.clone(),
    };
    must_be_block_device(guest, &device, within).await?;
    must_be_unused(guest, &device, within).await?;
    Ok(device)
}

/// The whole disk or a partition on it, with what the receipt says of it.
async fn look(
    session: Session<'_>,
    resolved: &Resolved,
    disk: &str,
    partition: Option<&str>,
    guest: &mut Guest,
) -> Result<Target> {
    let within = seconds(session.flasher.config.timeouts.command);
    let device = match partition {
        None => disk.to_owned(),
        Some(label) => partition::find(guest, disk, label, within).await?,
    };
    must_be_block_device(guest, &device, within).await?;
    let size = size(guest, &device, within).await?;
    session.run.set_medium(MediumFacts {
        target: resolved.target.clone(),
        device: device.clone(),
        partition: partition.map(str::to_owned),
        disk: partition.map(|_| disk.to_owned()),
        size,
        identity: identity(guest, disk, within).await?,
        verify: session.job.verify,
        ..MediumFacts::default()
    });
    let direct = is_direct(guest, &device, within).await?;
    Ok(Target { device, size, direct, old_table: false })
}

/// The whole disk behind a controller address; boot and RPMB areas of an eMMC are not meant.
async fn by_address(guest: &mut Guest, address: &str, within: Duration) -> Result<String> {
    let listing = run(guest, "ls -l /sys/class/block/", within).await?;
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

async fn must_be_block_device(guest: &mut Guest, device: &str, within: Duration) -> Result<()> {
    let test = format!("test -b {}", quote(device));
    let output = guest.shell.run(&test, within).await.map_err(|error| trouble::console(&error))?;
    if output.status == 0 {
        return Ok(());
    }
    let there = run(guest, "ls /sys/class/block", within).await.unwrap_or_default();
    Err(Error::new(Class::Board, format!("the target `{device}` is no block device on this board"))
        .with("block devices", there.split_whitespace().collect::<Vec<_>>().join(" "))
        .help("check `targets` in the manifest, `--target`, and whether the medium is in its slot"))
}

async fn must_be_unused(guest: &mut Guest, device: &str, within: Duration) -> Result<()> {
    let search = format!("grep ^{} /proc/mounts", quote(device));
    let output = guest.shell.run(&search, within).await.map_err(|error| trouble::console(&error))?;
    if output.status != 0 {
        return Ok(());
    }
    Err(Error::new(Class::Board, format!("the target `{device}` is mounted on the board"))
        .with("mounts", output.text.trim().to_owned())
        .help("the small Linux must not use the medium it is to write; check the bundle's initramfs")
        .retryable(false))
}

async fn size(guest: &mut Guest, device: &str, within: Duration) -> Result<u64> {
    let name = device.rsplit('/').next().unwrap_or(device);
    let command = format!(
        "blockdev --getsize64 {} 2>/dev/null || echo $(($(cat /sys/class/block/{}/size) * 512))",
        quote(device),
        quote(name)
    );
    let text = run(guest, &command, within).await?;
    let number = text.lines().rev().find_map(|line| line.trim().parse::<u64>().ok()).filter(|size| *size > 0);
    number.ok_or_else(|| {
        Error::new(
            Class::Board,
            format!("the size of `{device}` is unknown: the board says `{}`", text.trim()),
        )
        .help("is a medium in the slot?")
    })
}

/// Asks as the script does before it writes.
async fn is_direct(guest: &mut Guest, device: &str, within: Duration) -> Result<bool> {
    let test = format!("dd if={} of=/dev/null bs=65536 count=1 iflag=direct 2>/dev/null", quote(device));
    let output = guest.shell.run(&test, within).await.map_err(|error| trouble::console(&error))?;
    Ok(output.status == 0)
}

/// Whatever tells one medium from another; boards differ in what they know.
async fn identity(guest: &mut Guest, device: &str, within: Duration) -> Result<BTreeMap<String, String>> {
    let name = quote(device.rsplit('/').next().unwrap_or(device));
    let command = format!(
        "for k in vendor model name serial cid wwid; do v=$(cat /sys/class/block/{name}/device/$k 2>/dev/null) && echo \"id $k $v\"; done; true"
    );
    let text = run(guest, &command, within).await?;
    let facts = text.lines().filter_map(|line| line.trim().strip_prefix("id ")?.split_once(' '));
    Ok(facts.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect())
}

/// An image that is longer than its medium is refused with both numbers.
pub(crate) fn must_fit(length: u64, size: u64, device: &str) -> Result<()> {
    if length <= size {
        return Ok(());
    }
    Err(Error::new(
        Class::Source,
        format!("the image is larger than the target: {length} bytes, `{device}` has {size}"),
    )
    .help("take a larger medium, another `--target`, or a smaller image"))
}

/// Runs commands one after the other; the first that does not end with status 0 is named.
async fn preflash(
    session: Session<'_>,
    guest: &mut Guest,
    commands: &[String],
    within: Duration,
) -> Result<()> {
    for command in commands {
        session.run.on_medium.leaves(MediumState::Prepared);
        guest
            .shell
            .check(command, within)
            .await
            .map_err(|error| trouble::console(&error).with("preflash command", command.clone()))?;
    }
    Ok(())
}

async fn run(guest: &mut Guest, command: &str, within: Duration) -> Result<String> {
    guest.shell.check(command, within).await.map_err(|error| trouble::console(&error))
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

    #[test]
    fn images_larger_than_the_medium() {
        assert!(must_fit(10, 10, "/dev/x").is_ok());
        let error = must_fit(11, 10, "/dev/x").unwrap_err();
        assert_eq!(error.to_string(), "the image is larger than the target: 11 bytes, `/dev/x` has 10");
        assert_eq!(error.class(), Class::Source);
    }
}
