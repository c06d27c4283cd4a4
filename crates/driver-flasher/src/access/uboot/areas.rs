//! The memory that is free for loads: above the address U-Boot loads to by itself, and below U-Boot, its stack and whatever it
//! has reserved.

use flasher_core::{Class, Error, Result};

/// Most that is loaded at once, bytes: a range of the image.
const LONGEST: u64 = disk_image::RANGE;
/// Least that is of use, bytes.
const SHORTEST: u64 = 1 << 20;
/// Room for the blocks around bytes that begin or end within a block, bytes.
const AROUND: u64 = 64 * 1024;
/// Kept free below U-Boot for its stack, bytes; less in a small memory.
const STACK: u64 = 16 << 20;

/// Two areas of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Areas {
    /// Where what we send is loaded to.
    pub(super) load: u64,
    /// Where what the medium holds is read to.
    pub(super) read: u64,
    /// Bytes of each, and a little more around them.
    pub(super) length: u64,
}

/// What `bdinfo` tells of the memory.
#[derive(Debug, Default, PartialEq, Eq)]
struct Memory {
    /// Banks: first byte, bytes.
    banks: Vec<(u64, u64)>,
    /// First bytes of what is in use.
    used: Vec<u64>,
    /// Reserved ranges: first and last byte.
    reserved: Vec<(u64, u64)>,
}

/// The areas of a board that loads to one of the addresses `candidates` and prints this `bdinfo`.
///
/// # Errors
/// When no bank is named, or there is too little room.
pub(super) fn areas(bdinfo: &str, candidates: &[u64]) -> Result<Areas> {
    let memory = Memory::parse(bdinfo);
    let bank =
        |address: &u64| memory.banks.iter().find(|(start, size)| (*start..start + size).contains(address));
    let Some((base, (start, size))) = candidates.iter().find_map(|it| Some((*it, *bank(it)?))) else {
        return Err(memory.lacks(candidates));
    };
    let base = base.next_multiple_of(AROUND);
    let room = memory.end_of_room(base, (start, size)).saturating_sub(base);
    let length = (room / 2).saturating_sub(AROUND) / AROUND * AROUND;
    if length < SHORTEST {
        return Err(Error::new(
            Class::Board,
            format!("the boot loader has {} KiB of memory free for loads from {base:#x} on", room >> 10),
        )
        .with("needed", format!("{} KiB", ((SHORTEST + AROUND) * 2) >> 10))
        .help("set `loadaddr` in the boot loader's environment to a lower address, or take `via: linux`")
        .retryable(false));
    }
    let length = length.min(LONGEST);
    Ok(Areas { load: base, read: base + length + AROUND, length })
}

impl Memory {
    fn parse(bdinfo: &str) -> Self {
        let mut memory = Self::default();
        let mut bank = None;
        for line in bdinfo.lines() {
            if line.trim_start().starts_with("reserved") {
                memory.reserved.extend(range(line));
                continue;
            }
            let Some((name, value)) = line.split_once('=') else { continue };
            let Some(value) = hex(value.split_whitespace().next().unwrap_or_default()) else { continue };
            match name.trim() {
                "-> start" => bank = Some(value),
                "-> size" => {
                    memory.banks.extend(bank.take().filter(|_| value > 0).map(|start| (start, value)))
                }
                "relocaddr" | "sp start" | "irq_sp" | "fdt_blob" | "new_fdt" | "TLB addr" | "FB base" => {
                    memory.used.push(value);
                }
                _ => {}
            }
        }
        memory
    }

    /// Why none of these addresses can be taken.
    fn lacks(&self, candidates: &[u64]) -> Error {
        let help = "set `loadaddr` in the boot loader's environment to an address in its memory";
        if self.banks.is_empty() {
            return Error::new(Class::Board, "the boot loader does not say where its memory is").help(help);
        }
        let banks = self.banks.iter().map(|(start, size)| format!("{start:#x}-{:#x}", start + (size - 1)));
        let addresses = candidates.iter().map(|address| format!("{address:#x}"));
        Error::new(Class::Board, "the addresses that the boot loader loads to lie outside of its memory")
            .with("memory", banks.collect::<Vec<_>>().join(", "))
            .with("addresses", addresses.collect::<Vec<_>>().join(", "))
            .help(help)
            .retryable(false)
    }

    /// The first byte behind the room that begins at `base`, in the bank at `start` of `size` bytes.
    fn end_of_room(&self, base: u64, (start, size): (u64, u64)) -> u64 {
        let end = start.saturating_add(size);
        let stack = STACK.min(size / 16);
        let used = self.used.iter().filter(|address| (base..end).contains(address));
        let used = used.map(|address| address.saturating_sub(stack));
        let reserved = self.reserved.iter().filter(|(_, last)| *last >= base).map(|(first, _)| *first);
        used.chain(reserved).fold(end, u64::min)
    }
}

/// The ends of `[0x7e6a2d10-0x7fffffff]`.
fn range(line: &str) -> Option<(u64, u64)> {
    let (first, last) = line.rsplit_once('[')?.1.split_once(']')?.0.split_once('-')?;
    Some((hex(first)?, hex(last)?))
}

fn hex(word: &str) -> Option<u64> {
    u64::from_str_radix(word.trim().strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QEMU: &str = "boot_params = 0x0000000000000000\nDRAM bank   = 0x0000000000000000\n\
        -> start    = 0x0000000040000000\n-> size     = 0x0000000040000000\nbaudrate    = 115200 bps\n\
        relocaddr   = 0x000000007f6c8000\nreloc off   = 0x000000007f6c8000\nfdt_blob    = 0x000000007e6a5d40\n\
        new_fdt     = 0x000000007e6a5d40\nlmb_dump_all:\n memory.cnt  = 0x1\n \
        memory[0]\t[0x40000000-0x7fffffff], 0x40000000 bytes flags: 0\n reserved.cnt  = 0x1\n \
        reserved[0]\t[0x7e6a2d10-0x7fffffff], 0x195d2f0 bytes flags: 0\nsp start    = 0x000000007e6a5d30\n";

    #[test]
    fn loads_go_above_the_load_address_and_below_the_boot_loader() {
        let found = areas(QEMU, &[0x4040_0000]).unwrap();
        let expected = Areas { load: 0x4040_0000, read: 0x4141_0000, length: LONGEST };
        assert_eq!(found, expected);
        assert_eq!(areas(QEMU, &[0x1000, 0x4040_0000]).unwrap(), expected, "outside of every bank");
        // 16 MiB of stack below 0x7e6a5d30, less 0x7c000000, in two: 13 MiB and something each.
        let tight = areas(QEMU, &[0x7c00_0000]).unwrap();
        assert!(tight.length < LONGEST && tight.read + tight.length + AROUND <= 0x7d6a_5d30, "{tight:x?}");
        let reserved = QEMU.replace("0x7e6a2d10-", "0x40800000-");
        let below = areas(&reserved, &[0x4040_0000]).unwrap();
        assert!(below.read + below.length + AROUND <= 0x4080_0000, "{below:x?}");
    }

    #[test]
    fn too_little_memory_is_told_in_numbers() {
        let error = areas(QEMU, &[0x7d64_0000]).unwrap_err();
        let expected = "the boot loader has 407 KiB of memory free for loads from 0x7d640000 on";
        assert_eq!(error.cause(), expected);
        let error = areas("", &[0x4040_0000]).unwrap_err();
        assert_eq!(error.cause(), "the boot loader does not say where its memory is");
    }

    #[test]
    fn addresses_outside_of_the_memory_are_told_beside_it() {
        let error = areas(QEMU, &[0x8200_0000, 0x1000]).unwrap_err();
        assert_eq!(error.cause(), "the addresses that the boot loader loads to lie outside of its memory");
        let told: Vec<_> = error.context().iter().map(|(key, value)| (*key, value.as_str())).collect();
        assert_eq!(told, [("memory", "0x40000000-0x7fffffff"), ("addresses", "0x82000000, 0x1000")]);
    }
}
