//! U-Boot's commands on memory: sums, comparing, copying, filling, showing (cmd/mem.c, cmd/hash.c).

use flate2::Crc;
use sha2::{Digest, Sha256};

use super::memory::hextoul;
use super::state::{UBoot, UBootExit};
use crate::size::MIB;

/// Objects that `md` shows when no number is given.
const SHOWN: u64 = 0x40;
/// Bytes of a line of `md`.
const LINE: u64 = 16;

impl UBoot<'_> {
    /// A command on memory. `typed` is its name as typed: `.b` and the like tell the width.
    pub(super) async fn memory_command(&mut self, name: &str, typed: &str, arguments: &[&str]) -> i32 {
        let Some(width) = width(typed) else { return self.usage(name) };
        match (name, arguments) {
            ("crc32", [address, length, store @ ..]) => self.crc32(address, length, store.first()).await,
            ("sha256sum", [address, length, store @ ..]) => self.sha256(address, length, store.first()).await,
            ("hash", ["sha256", address, length, store @ ..]) => {
                self.sha256(address, length, store.first()).await
            }
            ("hash", ["crc32", address, length, store @ ..]) => {
                self.crc32(address, length, store.first()).await
            }
            ("hash", [algorithm, _, _, ..]) => {
                self.print(&format!("Unknown hash algorithm '{algorithm}'\n"));
                self.usage(name)
            }
            ("cmp", [one, other, count]) => {
                self.compare(hextoul(one), hextoul(other), hextoul(count), width).await
            }
            ("cp", [from, to, count]) => {
                self.copy(hextoul(from), hextoul(to), hextoul(count).saturating_mul(width)).await
            }
            ("mw", [address, value, count @ ..]) => {
                let count = count.first().map_or(1, |count| hextoul(count));
                self.fill(hextoul(address), hextoul(value), count, width).await
            }
            ("md", [address, count @ ..]) => {
                let count = count.first().map_or(SHOWN, |count| hextoul(count));
                self.show(hextoul(address), count, width).await
            }
            _ => self.usage(name),
        }
    }

    /// Whether all of it is memory. Touching anything else is a fault of the processor, and U-Boot resets.
    pub(super) fn touches(&mut self, address: u64, length: u64) -> bool {
        let dram = self.layout.dram();
        let end = address.checked_add(length);
        if dram.contains(&address) && end.is_some_and(|end| end <= dram.end) {
            return true;
        }
        self.print("\"Synchronous Abort\" handler, esr 0x96000010\nResetting CPU ...\n\nresetting ...\n");
        self.leave = Some(UBootExit::Reset);
        false
    }

    /// Puts bytes into memory; a status of 1 when the simulation holds no more.
    pub(super) fn put(&mut self, address: u64, bytes: &[u8]) -> i32 {
        match self.memory.write(address, bytes) {
            Ok(()) => 0,
            Err(_) => self.memory_is_full(),
        }
    }

    pub(super) fn memory_is_full(&self) -> i32 {
        self.say("the simulated board holds 256 MiB of memory at most\n", 1)
    }

    /// The CRC-32 of a piece of memory.
    pub(super) async fn crc_of(&self, address: u64, length: u64) -> u32 {
        let mut crc = Crc::new();
        for (at, count) in pieces(address, length) {
            crc.update(&self.memory.read(at, count));
            tokio::task::yield_now().await;
        }
        crc.sum()
    }

    async fn crc32(&mut self, address: &str, length: &str, store: Option<&&str>) -> i32 {
        let (address, length) = (hextoul(address), hextoul(length));
        if !self.touches(address, length) {
            return 1;
        }
        let sum = self.crc_of(address, length).await;
        self.print(&format!("crc32 for {} ==> {sum:08x}\n", range(address, length)));
        self.keep(store, &sum.to_be_bytes(), true)
    }

    async fn sha256(&mut self, address: &str, length: &str, store: Option<&&str>) -> i32 {
        let (address, length) = (hextoul(address), hextoul(length));
        if !self.touches(address, length) {
            return 1;
        }
        let mut hash = Sha256::new();
        for (at, count) in pieces(address, length) {
            hash.update(self.memory.read(at, count));
            tokio::task::yield_now().await;
        }
        let sum = hash.finalize();
        self.print(&format!("sha256 for {} ==> {}\n", range(address, length), plain_hex(&sum)));
        self.keep(store, &sum, false)
    }

    /// Keeps a sum at an address (`*ADDRESS`, or plain for `crc32`), or in a variable.
    fn keep(&mut self, store: Option<&&str>, sum: &[u8], plain_is_address: bool) -> i32 {
        let Some(store) = store else { return 0 };
        match store.strip_prefix('*').or_else(|| plain_is_address.then_some(*store)) {
            Some(address) if self.touches(hextoul(address), sum.len() as u64) => {
                self.put(hextoul(address), sum)
            }
            Some(_) => 1,
            None => {
                self.set(store, plain_hex(sum));
                0
            }
        }
    }

    async fn compare(&mut self, one: u64, other: u64, count: u64, width: u64) -> i32 {
        let length = count.saturating_mul(width);
        if !self.touches(one, length) || !self.touches(other, length) {
            return 1;
        }
        let mut same = 0;
        for (at, size) in pieces(one, length) {
            let (left, right) = (self.memory.read(at, size), self.memory.read(other + (at - one), size));
            let differs = left.iter().zip(&right).position(|(left, right)| left != right);
            if let Some(place) = differs.filter(|_| left != right) {
                same += place as u64 / width;
                self.print_difference(one, other, same, width);
                return self.print_same(same, width, 1);
            }
            same += size / width;
            tokio::task::yield_now().await;
        }
        self.print_same(same, width, 0)
    }

    fn print_difference(&self, one: u64, other: u64, same: u64, width: u64) {
        let shown = |address: u64| {
            let at = address + same * width;
            let digits = 2 + 2 * width as usize;
            format!("{} at {at:#010x} ({:#0digits$x})", kind(width), number(&self.memory.read(at, width)))
        };
        self.print(&format!("{} != {}\n", shown(one), shown(other)));
    }

    fn print_same(&self, same: u64, width: u64, status: i32) -> i32 {
        self.say(&format!("Total of {same} {}(s) were the same\n", kind(width)), status)
    }

    async fn copy(&mut self, from: u64, to: u64, length: u64) -> i32 {
        if length == 0 {
            return self.say("Zero length ???\n", 1);
        }
        if !self.touches(from, length) || !self.touches(to, length) {
            return 1;
        }
        for (at, count) in pieces(from, length) {
            let bytes = self.memory.read(at, count);
            if self.put(to + (at - from), &bytes) != 0 {
                return 1;
            }
            tokio::task::yield_now().await;
        }
        0
    }

    async fn fill(&mut self, address: u64, value: u64, count: u64, width: u64) -> i32 {
        let length = count.saturating_mul(width);
        if !self.touches(address, length) {
            return 1;
        }
        let piece = value.to_le_bytes()[..width as usize].repeat(length.min(MIB) as usize / width as usize);
        for (at, count) in pieces(address, length) {
            if self.put(at, &piece[..count as usize]) != 0 {
                return 1;
            }
            tokio::task::yield_now().await;
        }
        0
    }

    async fn show(&mut self, address: u64, count: u64, width: u64) -> i32 {
        let length = count.saturating_mul(width);
        if !self.touches(address, length) {
            return 1;
        }
        for line in (0..length).step_by(LINE as usize) {
            let bytes = self.memory.read(address + line, LINE.min(length - line));
            self.print(&dump_line(address + line, &bytes, width as usize));
            tokio::task::yield_now().await;
        }
        0
    }
}

/// Bytes of an object: `.b`, `.w`, `.l` (and none), `.q`.
fn width(typed: &str) -> Option<u64> {
    match typed.split_once('.').map(|(_, width)| width) {
        Some("b") => Some(1),
        Some("w") => Some(2),
        Some("l") | None => Some(4),
        Some("q") => Some(8),
        Some(_) => None,
    }
}

fn kind(width: u64) -> &'static str {
    match width {
        1 => "byte",
        2 => "halfword",
        4 => "word",
        _ => "double word",
    }
}

/// Pieces of at most 1 MiB: where each begins, and its bytes.
fn pieces(address: u64, length: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..length).step_by(MIB as usize).map(move |from| (address + from, MIB.min(length - from)))
}

/// First and last address, as the sums print them.
fn range(address: u64, length: u64) -> String {
    format!("{address:08x} ... {:08x}", (address + length).wrapping_sub(1))
}

fn plain_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A line of `md` (lib/display_options.c).
fn dump_line(address: u64, bytes: &[u8], width: usize) -> String {
    let digits = 2 * width;
    let objects: String =
        bytes.chunks(width).map(|object| format!(" {:0digits$x}", number(object))).collect();
    let column = LINE as usize / width * (digits + 1);
    let text: String =
        bytes.iter().map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' }).collect();
    format!("{address:08x}:{objects:<column$}  {text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_looks_as_the_real_one() {
        let cases = [
            (
                1,
                vec![0x78, 0x56, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 0xaa],
                "40600000: 78 56 34 12 78 56 34 12 aa                       xV4.xV4..\n",
            ),
            (
                1,
                vec![0xaa; 16],
                "40600000: aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa  ................\n",
            ),
            (8, vec![0xaa; 16], "40600000: aaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaa  ................\n"),
            (4, vec![0x78, 0x56, 0x34, 0x12], "40600000: 12345678                             xV4.\n"),
        ];
        for (width, bytes, line) in cases {
            assert_eq!(dump_line(0x4060_0000, &bytes, width), line);
        }
    }
}
