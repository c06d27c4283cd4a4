//! What a U-Boot holds, and how it speaks: the part that all its commands use.

use std::collections::BTreeMap;

use super::layout::Layout;
use super::media::known::Media;
use super::memory::SparseMemory;
use crate::faults::Dice;
use crate::machine::Machine;

/// Bytes of U-Boot's own device tree.
const FDT: u64 = 64;

/// How U-Boot is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UBootExit {
    /// It resets the board.
    Reset,
    /// It switches the board off.
    Off,
    /// It starts the kernel it was given.
    Kernel,
    /// It starts the system on the medium.
    Medium,
}

/// U-Boot from reset until it is left. What it holds is RAM: lost with it.
#[derive(Debug)]
pub(crate) struct UBoot<'m> {
    pub(super) machine: &'m mut Machine,
    pub(super) env: BTreeMap<String, String>,
    pub(super) memory: SparseMemory,
    pub(super) layout: Layout,
    pub(super) media: Media,
    pub(super) status: i32,
    pub(super) leave: Option<UBootExit>,
    pub(super) dice: Dice,
    /// Lines that were run.
    pub(super) lines: u32,
}

impl<'m> UBoot<'m> {
    /// A U-Boot with its default environment.
    pub(crate) fn new(machine: &'m mut Machine) -> Self {
        let seed = machine.config.faults.seed ^ machine.tally.read().power_on;
        if let Some(one_in) = machine.config.faults.uboot.drop_console {
            machine.keys.lose(Some(one_in));
        }
        let layout = Layout::new(machine.config.dram_start.0, machine.config.dram.0);
        let mut memory = SparseMemory::default();
        // U-Boot's own device tree.
        memory.claim(layout.fdt(), FDT);
        Self {
            env: default_environment(machine.config.bootdelay, layout),
            memory,
            layout,
            media: Media::new(&machine.config, machine.medium_bytes),
            status: 0,
            leave: None,
            dice: Dice::new(seed),
            lines: 0,
            machine,
        }
    }

    /// Prints text on the console.
    pub(super) fn print(&self, text: &str) {
        self.machine.screen.print(text);
    }

    /// Prints text, and gives the status of the command that does.
    pub(super) fn say(&self, text: &str, status: i32) -> i32 {
        self.print(text);
        status
    }

    /// A variable of the environment.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.insert(name.to_owned(), value.into());
    }
}

/// The environment after a reset.
pub(super) fn default_environment(bootdelay: u32, layout: Layout) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = [
        ("arch", "arm"),
        ("baudrate", "115200"),
        ("board", "sim"),
        ("bootcmd", "boot_medium"),
        ("ethaddr", "52:52:52:52:52:52"),
        ("kernel_addr_r", "0x82000000"),
        ("loadaddr", "0x82000000"),
        ("ramdisk_addr_r", "0x83000000"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    env.insert("bootdelay".to_owned(), bootdelay.to_string());
    env.insert("fdtcontroladdr".to_owned(), format!("{:x}", layout.fdt()));
    env
}
