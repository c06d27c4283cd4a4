//! U-Boot's boot commands: what they check before they let go of the board.

use std::ops::Range;

use super::memory::{hex, hextoul};
use super::state::{UBoot, UBootExit};

impl UBoot<'_> {
    pub(super) fn boot_medium(&mut self) -> i32 {
        if !self.machine.medium_is_bootable() {
            return self.say("** No bootable medium **\n", 1);
        }
        self.leave = Some(UBootExit::Medium);
        0
    }

    /// `booti`, `bootm` and `bootz`: kernel, initial RAM disk (or `-`), device tree.
    pub(super) fn boot_kernel(&mut self, command: &str, arguments: &[&str]) -> i32 {
        let kernel = arguments.first().copied().or(self.variable("loadaddr")).unwrap_or_default();
        let Some(kernel_at) = self.extent(kernel) else { return self.no_kernel(command) };
        let mut taken = vec![kernel_at];
        for (argument, is_ramdisk) in arguments.iter().skip(1).zip([true, false]) {
            if *argument == "-" {
                continue;
            }
            let Some(range) = self.extent(argument) else { return self.no_part(is_ramdisk) };
            // Parts of one FIT share its address.
            let same = taken.contains(&range);
            if !same && taken.iter().any(|other| other.start < range.end && range.start < other.end) {
                return self.overlap(is_ramdisk);
            }
            taken.push(range);
        }
        self.describe(arguments);
        self.leave = Some(UBootExit::Kernel);
        0
    }

    /// `zboot [ADDRESS [SIZE [RAMDISK [SIZE]]]]`, the boot command of PCs (cmd/x86/zboot.c). Sizes are not checked against what
    /// was loaded.
    pub(super) fn boot_pc_kernel(&mut self, arguments: &[&str]) -> i32 {
        let kernel = arguments.first().copied().or(self.variable("fileaddr")).unwrap_or_default();
        if self.extent(kernel).is_none() {
            return self.say("## Kernel loading failed (missing x86 kernel setup) ...\n", 1);
        }
        if let [_, _, ramdisk, size, ..] = arguments {
            let (at, bytes) = (hextoul(ramdisk), hextoul(size));
            self.print(&format!("Initial RAM disk at linear address {at:#010x}, size {bytes} bytes\n"));
        }
        self.leave = Some(UBootExit::Kernel);
        0
    }

    /// What was loaded at `ADDRESS`, `ADDRESS:SIZE`, `ADDRESS:part` or `ADDRESS#configuration`; none when nothing was.
    fn extent(&self, argument: &str) -> Option<Range<u64>> {
        let (address, rest) = match argument.split_once(['#', ':']) {
            Some((address, rest)) => (address, Some(rest)),
            None => (argument, None),
        };
        let range = self.memory.extent(hex(address)?)?;
        let is_size = argument.contains(':');
        match rest.filter(|_| is_size).and_then(hex) {
            Some(size) if size > range.end - range.start && !self.memory.is_unpacked(range.start) => None,
            _ => (!range.is_empty()).then_some(range),
        }
    }

    fn no_kernel(&self, command: &str) -> i32 {
        match command {
            "booti" => self.say("Bad Linux ARM64 Image magic!\n", 1),
            "bootz" => self.say("zimage: Bad magic!\n", 1),
            _ => self.say("Wrong Image Format for bootm command\nERROR: can't get kernel image!\n", 1),
        }
    }

    fn no_part(&self, is_ramdisk: bool) -> i32 {
        if is_ramdisk {
            return self.say("Wrong Ramdisk Image Format\nRamdisk image is corrupt or invalid\n", 1);
        }
        self.say(
            "ERROR: Did not find a cmdline Flattened Device Tree\nCould not find a valid device tree\n",
            1,
        )
    }

    fn overlap(&self, is_ramdisk: bool) -> i32 {
        let what = if is_ramdisk { "RD" } else { "FDT" };
        self.say(&format!("ERROR: {what} image overlaps OS image\n"), 1)
    }

    fn describe(&self, arguments: &[&str]) {
        if let Some(fdt) = arguments.get(2) {
            let fdt = fdt.trim_start_matches("0x");
            self.print(&format!(
                "## Flattened Device Tree blob at {fdt}\n   Booting using the fdt blob at 0x{fdt}\n"
            ));
        }
        if arguments.get(1).is_some_and(|ramdisk| *ramdisk != "-") {
            self.print("   Loading Ramdisk to 7fe00000, end 7ffff000 ... OK\n");
        }
    }
}
