//! What a medium shows that it holds: swap space, a physical volume of LVM, a member of a RAID. Such a medium may be a disk of this
//! machine that is only not in use now, so it is written when the config says that the board's media hold such things.

use flasher_core::{Error, Result, RootCause};

use super::disk::{AlignedBuffer, Disk};
use super::sysfs::{HostDisk, partitions, refused};
use crate::holding::Holding;

/// Bytes that are looked at, wherever a signature may be.
const BLOCK: u64 = 4096;
/// The magic number of Linux software RAID (drivers/md, `MD_SB_MAGIC`), as little-endian bytes.
const RAID: [u8; 4] = [0xfc, 0x4e, 0x2b, 0xa9];
/// How far from the end the superblock of RAID 0.90 is at most, bytes; it is at a multiple of this.
const OLD_RAID: u64 = 64 * 1024;

/// Refuses a medium that shows one of these, unless it is among those that it may hold. Blocks.
///
/// # Errors
/// What it holds, and the key that allows it.
pub(super) fn must_be_expected(disk: &Disk, about: &HostDisk, may_hold: &[Holding]) -> Result<()> {
    let parts =
        partitions(about).into_iter().map(|part| (format!("/dev/{}", part.name), part.start, part.length));
    let whole = (about.node.display().to_string(), 0, about.size);
    for (name, start, length) in std::iter::once(whole).chain(parts) {
        let found = holding(disk, start, length)?;
        if let Some(holding) = found.filter(|holding| !may_hold.contains(holding)) {
            return Err(unexpected(&name, holding));
        }
    }
    Ok(())
}

fn unexpected(name: &str, holding: Holding) -> Error {
    let text = format!("`{name}` holds {}, as a disk of this machine may", holding.words());
    refused(RootCause::OtherDisk, text).help(format!(
        "if the board's media hold that, allow it in the flasher's config: `host: {{ may_hold: [{holding}] }}`"
    ))
}

fn holding(disk: &Disk, start: u64, length: u64) -> Result<Option<Holding>> {
    if length < 2 * BLOCK {
        return Ok(None);
    }
    let mut buffer = AlignedBuffer::new(2 * BLOCK as usize);
    disk.read(start, buffer.first_mut(2 * BLOCK as usize))?;
    if let Some(holding) = at_the_beginning(buffer.first(2 * BLOCK as usize)) {
        return Ok(Some(holding));
    }
    // RAID 1.0: at least 8 KiB before the end, at a multiple of 4 KiB; RAID 0.90: the last whole 64 KiB.
    let places = [(length - 2 * BLOCK) / BLOCK * BLOCK, (length / OLD_RAID).saturating_sub(1) * OLD_RAID];
    for place in places.into_iter().filter(|place| *place > 0) {
        let from = (start + place) / BLOCK * BLOCK;
        let skipped = (start + place - from) as usize;
        disk.read(from, buffer.first_mut(BLOCK as usize))?;
        if buffer.first(BLOCK as usize)[skipped..].starts_with(&RAID) {
            return Ok(Some(Holding::Raid));
        }
    }
    Ok(None)
}

/// What the first 8 KiB show.
fn at_the_beginning(bytes: &[u8]) -> Option<Holding> {
    let at = |place: usize, mark: &[u8]| bytes.get(place..).is_some_and(|rest| rest.starts_with(mark));
    if at(4086, b"SWAPSPACE2") || at(4086, b"SWAP-SPACE") {
        return Some(Holding::Swap);
    }
    if (0..4).any(|sector| at(sector * 512, b"LABELONE") && at(sector * 512 + 24, b"LVM2 001")) {
        return Some(Holding::Lvm);
    }
    (at(0, &RAID) || at(4096, &RAID)).then_some(Holding::Raid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_at_the_beginning() {
        let check = |marks: &[(usize, &[u8])], expected: Option<Holding>| {
            let mut bytes = vec![0; 8192];
            for (place, mark) in marks {
                bytes[*place..place + mark.len()].copy_from_slice(mark);
            }
            assert_eq!(at_the_beginning(&bytes), expected, "{marks:?}");
        };
        check(&[], None);
        check(&[(4086, b"SWAPSPACE2")], Some(Holding::Swap));
        check(&[(512, b"LABELONE"), (536, b"LVM2 001")], Some(Holding::Lvm));
        check(&[(512, b"LABELONE")], None);
        check(&[(4096, &RAID)], Some(Holding::Raid));
        check(&[(0, &RAID)], Some(Holding::Raid));
    }

    #[test]
    fn the_key_that_allows_it_is_named() {
        let error = unexpected("/dev/sdb2", Holding::Lvm);
        assert_eq!(
            format!("{error}; {}", error.next_step().unwrap()),
            "`/dev/sdb2` holds a physical volume of LVM, as a disk of this machine may; if the board's media hold that, allow it in the flasher's config: `host: { may_hold: [lvm] }`"
        );
        assert!(!error.is_retryable());
    }
}
