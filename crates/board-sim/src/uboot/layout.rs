//! Where memory begins and ends, and which part of it is U-Boot's own.

use std::ops::Range;

/// What a U-Boot 2023.01 takes at the end of DRAM for itself: its code, heap, stack and device tree.
const OWN: u64 = 0x0224_e000;
/// Its relocated code.
const CODE: u64 = 0x0010_9000;
/// From the lowest address it keeps to its device tree.
const TO_FDT: u64 = 0x0014_e000;

/// The board's memory map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    start: u64,
    size: u64,
}

impl Layout {
    /// `size` bytes of DRAM from the address `start` on.
    pub(super) fn new(start: u64, size: u64) -> Self {
        Self { start, size }
    }

    /// All of DRAM.
    pub(super) fn dram(self) -> Range<u64> {
        self.start..self.start + self.size
    }

    /// What loads must not overwrite.
    pub(super) fn reserved(self) -> Range<u64> {
        let end = self.dram().end;
        let start = end - OWN.min(self.size / 2);
        (start & !0xfff)..end
    }

    /// U-Boot's own device tree.
    pub(super) fn fdt(self) -> u64 {
        self.reserved().start + TO_FDT.min(self.size / 4)
    }

    /// Bytes that may be loaded at `address`.
    pub(super) fn free_from(self, address: u64) -> u64 {
        let free = self.dram().start..self.reserved().start;
        if free.contains(&address) { free.end - address } else { 0 }
    }

    /// What `bdinfo` prints, as of 2023.01.
    pub(super) fn bdinfo(self, ethernet: &str, ip: &str) -> String {
        let (dram, reserved, fdt) = (self.dram(), self.reserved(), self.fdt());
        let (end, last) = (dram.end, dram.end - 1);
        let code = end - CODE.min(self.size / 8);
        let (stack, sp) = (fdt - 0x480, fdt - 0x10);
        let rows = [
            ("boot_params", "0x0000000000000000".to_owned()),
            ("DRAM bank", "0x0000000000000000".to_owned()),
            ("-> start", format!("{:#018x}", dram.start)),
            ("-> size", format!("{:#018x}", self.size)),
            ("flashstart", "0x0000000000000000".to_owned()),
            ("flashsize", "0x0000000000000000".to_owned()),
            ("flashoffset", "0x0000000000000000".to_owned()),
            ("baudrate", "115200 bps".to_owned()),
            ("relocaddr", format!("{code:#018x}")),
            ("reloc off", format!("{code:#018x}")),
            ("Build", "64-bit".to_owned()),
            ("current eth", ethernet.to_owned()),
            ("ethaddr", "52:52:52:52:52:52".to_owned()),
            ("IP addr", ip.to_owned()),
            ("fdt_blob", format!("{fdt:#018x}")),
            ("new_fdt", format!("{fdt:#018x}")),
            ("fdt_size", "0x0000000000100000".to_owned()),
        ];
        let rows: String = rows.iter().map(|(name, value)| format!("{name:<12}= {value}\n")).collect();
        format!(
            "{rows}lmb_dump_all:\n memory.cnt  = 0x1\n memory[0]\t[{:#x}-{last:#x}], {:#010x} bytes flags: 0\n \
             reserved.cnt  = 0x2\n reserved[0]\t[{:#x}-{last:#x}], {:#010x} bytes flags: 0\n \
             reserved[1]\t[{stack:#x}-{last:#x}], {:#010x} bytes flags: 0\n\
             devicetree  = board\narch_number = 0x0000000000000000\nTLB addr    = {:#018x}\n\
             irq_sp      = {sp:#018x}\nsp start    = {sp:#018x}\nEarly malloc usage: 3a8 / 2000\n",
            dram.start,
            self.size,
            reserved.start,
            end - reserved.start,
            end - stack,
            end - 0x1_0000,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::MIB;

    #[test]
    fn u_boot_sits_at_the_end_of_memory() {
        for (start, size, reserved, fdt) in [
            (0x4000_0000, 2048 * MIB, 0xbddb_2000, 0xbdf0_0000),
            (0x4000_0000, 16 * MIB, 0x4080_0000, 0x4094_e000),
            (0x4000_0000, 4 * MIB, 0x4020_0000, 0x4030_0000),
            (0, 256 * MIB, 0x0ddb_2000, 0x0df0_0000),
        ] {
            let layout = Layout::new(start, size);
            assert_eq!((layout.reserved().start, layout.fdt()), (reserved, fdt), "{size:x}");
            assert!(layout.reserved().contains(&layout.fdt()));
            assert_eq!(layout.free_from(reserved - 1), 1);
            assert_eq!(layout.free_from(reserved), 0);
            assert_eq!(layout.free_from(0x1000), if start == 0 { reserved - 0x1000 } else { 0 });
        }
        let said = Layout::new(0x4000_0000, 2048 * MIB).bdinfo("ethernet@32", "<NULL>");
        for line in [
            "-> start    = 0x0000000040000000\n-> size     = 0x0000000080000000\n",
            " memory[0]\t[0x40000000-0xbfffffff], 0x80000000 bytes flags: 0\n",
            " reserved[0]\t[0xbddb2000-0xbfffffff], 0x0224e000 bytes flags: 0\n",
            "sp start    = 0x00000000bdeffff0\n",
        ] {
            assert!(said.contains(line), "{said}");
        }
    }
}
